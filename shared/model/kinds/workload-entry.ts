import { isIP } from "node:net";
import { defineKind } from "../define-kind.ts";
import { isDnsLabel, isFqdn } from "../hosts.ts";
import { NETWORKING_API_VERSIONS } from "../resource.ts";
import { int32, string } from "../scalars.ts";
import { checked, field, map, object, type Schema } from "../schema.ts";
import type { WorkloadEntrySpec } from "../specs-networking.ts";
import { port, workloadLabels } from "./networking.ts";

/** An instance that does not register itself: on its own, in a ServiceEntry, or what a WorkloadGroup's have in common. */

const UNIX = "unix://";
const MAX_WEIGHT = 1_000_000;
/** A hundred instances have to fit into one message. */
const MAX_BYTES = 4 * 1024;

const address = checked(
  string(),
  (text, at) => {
    if (text.startsWith(UNIX)) {
      const path = text.slice(UNIX.length);
      if (!path.startsWith("@") && !/^\/.*[^/]$/.test(path))
        return at.error(`${JSON.stringify(path)} is no absolute path of a file`, "such as unix:///run/app.sock");
      return at.refuse("give an address and a port: sockets of a machine cannot be reached from another") ?? text;
    }
    const lower = text.toLowerCase();
    if (text === "" || isIP(text) !== 0) return text;
    if (isFqdn(lower) && !/^\d+$/.test(lower.split(".").at(-1) ?? "")) return lower;
    return at.error(
      `${JSON.stringify(text)} is neither an address nor a host name`,
      "such as 10.1.2.3 or db.example.com",
    );
  },
  { format: "address or host" },
);

const ports = map(
  port(),
  (name, at) =>
    isDnsLabel(name.toLowerCase()) ||
    at.error(`${JSON.stringify(name)} is not the name of a port`, "use letters, digits and dashes"),
);

const locality = checked(
  string(),
  (text, at) =>
    text === "" || (text.split("/").length <= 3 && !text.split("/").includes(""))
      ? text
      : at.error(`${JSON.stringify(text)} is not a locality`, "write region, region/zone or region/zone/sub-zone"),
  { format: "locality" },
);

const fields = object({
  address: field(address, "Address or host name."),
  ports: field(ports, "Port at the address, by the name of the service's port.", {
    default: "the service's target port",
  }),
  labels: field(workloadLabels(), "Labels of the instance."),
  network: field(string(), "Network of the instance."),
  locality: field(locality, "Where it runs: region/zone/sub-zone."),
  weight: field(int32({ min: 0, max: MAX_WEIGHT }), "Share of the requests, relative to other instances.", {
    default: "1",
  }),
  serviceAccount: field(
    checked(string(), (name, at) =>
      name === "" || isDnsLabel(name)
        ? name
        : at.error(`${JSON.stringify(name)} is not a DNS label`, "name the account"),
    ),
    "Service account of the instance, if it has a sidecar.",
  ),
});

/** `required`: whether it must say where the instance is. */
function entry(rules: { readonly addressRequired: boolean }): Schema<WorkloadEntrySpec> {
  return checked(fields, (value, at): WorkloadEntrySpec => {
    const given = at.has("address") && at.given("address") !== "";
    if (rules.addressRequired && !given)
      at.errorOf("address", "required", "give the address or host name of the instance");
    const bytes = Buffer.byteLength(JSON.stringify([value.address, value.ports, value.labels, value.locality]));
    if (bytes > MAX_BYTES)
      at.error(`its ports and labels take ${bytes} bytes`, `at most ${MAX_BYTES}: give fewer labels`);
    if ((value.network ?? "") !== "")
      at.warnOf("network", "has no effect", "remove it: every network is taken to be reachable");
    return {
      address: value.address ?? "",
      ports: value.ports ?? {},
      labels: value.labels ?? {},
      network: value.network ?? "",
      locality: value.locality ?? "",
      weight: value.weight ?? 0,
      serviceAccount: value.serviceAccount ?? "",
    };
  });
}

export const workloadEntry = entry({ addressRequired: true });
export const workloadTemplate = entry({ addressRequired: false });

/** WorkloadEntry: an instance that does not register itself. */
export const WORKLOAD_ENTRY = defineKind<WorkloadEntrySpec>({
  kind: "WorkloadEntry",
  plural: "workloadentries",
  shortNames: ["we"],
  apiVersions: NETWORKING_API_VERSIONS,
  class: "traffic",
  doc: "An instance that does not register itself, such as a program on a machine without a sidecar; ServiceEntries select it by labels.",
  schema: workloadEntry,
});
