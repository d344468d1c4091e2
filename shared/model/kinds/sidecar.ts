import { isIP } from "node:net";
import { defineKind } from "../define-kind.ts";
import { isDnsLabel } from "../hosts.ts";
import type { At } from "../reader.ts";
import { NETWORKING_API_VERSIONS } from "../resource.ts";
import { dnsLabel, enumeration, int32, string } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";
import type { OutboundMode, ScopedHost, SidecarSpec } from "../specs-networking.ts";
import { connectionPool } from "./connection-pool.ts";
import { destination } from "./destination.ts";
import { checkHost, PROTOCOLS, uint32, workloadSelector } from "./networking.ts";
import { serverTls } from "./server-tls.ts";

/** What the workloads of a namespace see. */

const ONE_LISTENER = "leave it out: a sidecar has one outbound listener for all ports, set where it is started";
const ONE_INBOUND = "set MESH_PORTS where the sidecar is started";

const captureMode = enumeration(["DEFAULT", "IPTABLES", "NONE"]);

const protocol = checked(
  string(),
  (given, at) =>
    given === "" || PROTOCOLS.some((name) => name === given.toUpperCase())
      ? given.toLowerCase()
      : at.error(`${JSON.stringify(given)} is not a protocol`, `write one of ${PROTOCOLS.join(", ")}`),
  { format: "protocol" },
);

const port = object({
  number: field(int32({ min: 0, max: 65_535 }), "The port."),
  protocol: field(protocol, "What it carries."),
  name: field(dnsLabel(), "Name of the port."),
  targetPort: field(uint32(), "Port of the instances."),
});

const bind = checked(
  string(),
  (text, at) =>
    text === "" || isIP(text) !== 0 || /^unix:\/\/(?:@|\/.*[^/]$)/.test(text)
      ? text
      : at.error(`${JSON.stringify(text)} is not an address`, "such as 127.0.0.1"),
  { format: "address" },
);

const endpoint = checked(
  string(),
  (text, at) =>
    text === "" || /^(?:(?:127\.0\.0\.1|0\.0\.0\.0|\[::1?\])?:\d{1,5}|unix:\/\/.+)$/.test(text)
      ? text
      : at.error(`${JSON.stringify(text)} is not an address of this machine`, "such as 127.0.0.1:8080"),
  { format: "address" },
);

const ingress = list(
  object({
    port: field(port, "Where it listens.", { required: true }),
    bind: field(bind, "Address to listen at."),
    captureMode: field(captureMode, "How connections reach it."),
    defaultEndpoint: field(endpoint, "Where the application listens."),
    tls: field(serverTls, "How connections are secured."),
    connectionPool: field(connectionPool, "Limits towards the application."),
  }),
);

/** What egress names: a namespace, a host, or nothing at all (`~/*`). */
const scopedHost = checked(
  string(),
  (given, at): ScopedHost | "nothing" | undefined => {
    const slash = given.indexOf("/");
    if (slash < 0)
      return at.error("names no namespace", `write namespace/host, such as ./* or */${given || "api.example.com"}`);
    const namespace = given.slice(0, slash);
    if (namespace === "~" && given === "~/*") return "nothing";
    const bare = namespace.replace(/^~/, "");
    if (bare !== "*" && bare !== "." && !isDnsLabel(bare))
      return at.error(`${JSON.stringify(namespace)} is no namespace`, "write *, . (the own one) or the name of one");
    const host = checkHost(given.slice(slash + 1), at, { star: true, wildcards: true });
    if (host === undefined) return undefined;
    if (bare !== namespace) return at.refuse("name what is seen: nothing can be taken out again");
    return { namespace: bare === "." ? at.context.namespace : bare, host };
  },
  { format: "namespace/host" },
);

const hosts: Schema<readonly ScopedHost[]> = checked(
  list(scopedHost, { atLeastOne: "host, such as ./*" }),
  (given, at) => {
    const named = given.filter((each) => each !== "nothing");
    if (given.includes("nothing") && named.length > 0)
      at.error("names nothing (~/*) and something", "keep one of them");
    for (const [index, { namespace, host }] of named.entries()) {
      const isCovered = named.some(
        (other, place) =>
          place !== index &&
          (other.namespace === namespace || other.namespace === "*") &&
          (other.host === "*" || (other.host === host && place < index)) &&
          !(other.namespace === namespace && other.host === host && place > index),
      );
      if (isCovered && at.clean() && given.length === named.length)
        at.reader.warn(`${at.path}[${index}]`, `${namespace}/${host}`, "is covered by another entry", "remove it");
    }
    return named;
  },
);

const egress = list(
  object({
    port: field(port, "Where it listens.", { unsupported: { remedy: ONE_LISTENER } }),
    bind: field(bind, "Address to listen at.", { unsupported: { remedy: ONE_LISTENER, harmless: [""] } }),
    captureMode: field(captureMode, "How connections reach it.", {
      unsupported: { remedy: ONE_LISTENER, harmless: ["DEFAULT", 0] },
    }),
    hosts: field(
      hosts,
      "What is seen: namespace/host, either of which may be *; . is the own namespace; ~/* is nothing.",
      {
        required: true,
      },
    ),
  }),
);

export const outboundMode = enumeration(["REGISTRY_ONLY", "ALLOW_ANY"]);

const outboundTrafficPolicy: Schema<OutboundMode> = checked(
  object({
    mode: field(outboundMode, "ALLOW_ANY passes requests to unknown hosts through, REGISTRY_ONLY refuses them.", {
      default: "REGISTRY_ONLY",
    }),
    egressProxy: field(destination, "Where requests to unknown hosts go.", {
      unsupported: { remedy: "use a VirtualService that routes the hosts to a gateway" },
    }),
  }),
  ({ mode }, at) => (at.has("mode") ? mode : "REGISTRY_ONLY"),
);

const schema = object({
  workloadSelector: field(workloadSelector("labels"), "Which workloads.", { default: "all of the namespace" }),
  ingress: field(ingress, "Inbound listeners.", { unsupported: { remedy: ONE_INBOUND } }),
  egress: field(egress, "What the workloads' requests may reach.", { default: "everything" }),
  inboundConnectionPool: field(connectionPool, "Limits towards the applications.", {
    unsupported: { remedy: "use connectionPool of a DestinationRule: callers keep the limits" },
  }),
  outboundTrafficPolicy: field(outboundTrafficPolicy, "What becomes of requests to unknown hosts.", {
    default: "as MeshConfig says",
  }),
});

/** Sidecar: what the workloads of a namespace see of the mesh. */
export const SIDECAR = defineKind<SidecarSpec>({
  kind: "Sidecar",
  plural: "sidecars",
  apiVersions: NETWORKING_API_VERSIONS,
  class: "traffic",
  doc: "Limits which services the workloads of a namespace may call; in the root namespace it is the default of all others.",
  schema: checked(schema, (value, at): SidecarSpec => {
    const says = ["ingress", "egress", "inboundConnectionPool", "outboundTrafficPolicy"];
    const given = (name: string) => JSON.stringify(at.given(name) ?? []) !== "[]";
    if (!says.some(given) && at.clean()) at.error("says nothing", "give egress or outboundTrafficPolicy");
    checkListeners(at);
    const listeners = value.egress ?? [];
    return {
      workloadLabels: value.workloadSelector,
      egressHosts: listeners.length === 0 ? undefined : listeners.flatMap((listener) => listener.hosts ?? []),
      outboundTrafficPolicy: value.outboundTrafficPolicy,
    };
  }),
});

/** One listener is for all other ports, and it comes last. */
function checkListeners(at: At): void {
  const given = at.given("egress");
  if (!Array.isArray(given) || !at.clean("egress")) return;
  const catchAll = given.findIndex((listener) => (listener as { readonly port?: unknown }).port === undefined);
  if (catchAll >= 0 && catchAll < given.length - 1)
    at.reader.error(
      `${at.path}.egress[${catchAll}]`,
      null,
      "the listener without port is not the last",
      "put it last, and keep one",
    );
}
