import { isIP } from "node:net";
import { defineKind } from "../define-kind.ts";
import { clusterService } from "../hosts.ts";
import type { At } from "../reader.ts";
import { NETWORKING_API_VERSIONS } from "../resource.ts";
import { anyCaseLabel, enumeration, int32, string } from "../scalars.ts";
import { checked, field, list, object } from "../schema.ts";
import type { ServiceEntryPortSpec, ServiceEntrySpec, WorkloadEntrySpec } from "../specs-networking.ts";
import { subnet } from "./l4-routes.ts";
import { exportTo, host, port as portNumber, protocol, workloadSelector } from "./networking.ts";
import { workloadEntry } from "./workload-entry.ts";

const ONLY_HTTP =
  "only HTTP passes through the proxy so far; where the proxy is to speak TLS, write protocol HTTP, the TLS port as targetPort, and a DestinationRule with tls.mode SIMPLE";

const port = checked(
  object({
    number: field(portNumber(), "The port.", { required: true }),
    protocol: field(protocol(ONLY_HTTP), "HTTP.", { default: "HTTP" }),
    name: field(anyCaseLabel(), "Name of the port, unique in the entry.", { required: true }),
    targetPort: field(int32({ min: 0, max: 65_535 }), "Port of the instances.", { default: "the number" }),
  }),
  (value): ServiceEntryPortSpec => ({
    number: value.number ?? 0,
    name: value.name ?? "",
    protocol: value.protocol ?? "http",
    targetPort: value.targetPort || (value.number ?? 0),
  }),
);

/** Every instance carries all of them, and a hundred instances have to fit into one message. */
const MAX_PORTS = 150;

const ports = checked(list(port), (items, at) => {
  if (items.length > MAX_PORTS) at.error(`${items.length} ports are too many`, `give at most ${MAX_PORTS}`);
  for (const [index, { number, name }] of items.entries()) {
    const path = `${at.path}[${index}]`;
    if (!at.clean()) break;
    if (items.findIndex((other) => other.number === number) < index)
      at.reader.error(`${path}.number`, number, "given twice", "keep one entry of the port");
    if (items.findIndex((other) => other.name === name) < index)
      at.reader.error(`${path}.name`, name, "given twice", "give each port its own name");
  }
  return items;
});

const schema = object({
  hosts: field(list(host({ wildcards: true, short: true }), { atLeastOne: "host" }), "Hosts that it makes known.", {
    required: true,
  }),
  addresses: field(
    list(subnet),
    "Addresses that requests may name instead of the hosts. Networks have no effect so far.",
  ),
  ports: field(ports, "Ports of the hosts."),
  location: field(
    enumeration(["MESH_EXTERNAL", "MESH_INTERNAL"]),
    "Whether its instances are part of the mesh. A note for people: an instance with a sidecar is known by having registered, and is reached by mutual TLS wherever it is.",
    {
      default: "MESH_EXTERNAL",
    },
  ),
  resolution: field(
    enumeration(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"], {
      refused: { DYNAMIC_DNS: "write NONE: requests go to the host that they name" },
    }),
    "Where its instances are: NONE: where the request says; STATIC: at the endpoints' addresses; DNS: at the endpoints' or hosts' names.",
    { default: "NONE" },
  ),
  endpoints: field(list(workloadEntry), "Its instances.", { default: "with DNS, the hosts themselves" }),
  workloadSelector: field(workloadSelector("labels"), "Selects instances of its namespace instead of endpoints."),
  exportTo: field(exportTo({ nobody: true }), "Namespaces that see it: *, . (the own one), ~ (none) or names.", {
    default: "as MeshConfig says, else *",
  }),
  subjectAltNames: field(list(string()), "Names of which an instance's certificate must have one.", {
    default: "the host",
  }),
});

/** ServiceEntry: hosts that are no registered services. */
export const SERVICE_ENTRY = defineKind<ServiceEntrySpec>({
  kind: "ServiceEntry",
  plural: "serviceentries",
  shortNames: ["se"],
  apiVersions: NETWORKING_API_VERSIONS,
  class: "traffic",
  doc: "Makes hosts outside of the mesh, or instances that do not register themselves, known as services.",
  schema: checked(schema, (value, at): ServiceEntrySpec => {
    const { resolution = "NONE", endpoints = [] } = value;
    if (at.has("workloadSelector") && at.has("endpoints"))
      at.errorOf("workloadSelector", "cannot be combined with endpoints", "keep one of them");
    if (
      (value.addresses ?? []).some((address) => address.includes("/")) &&
      resolution !== "NONE" &&
      resolution !== "STATIC"
    )
      at.errorOf("addresses", `networks cannot be combined with resolution ${resolution}`, "give single addresses");
    if ((value.addresses ?? []).some((address) => address.includes("/")))
      at.warnOf("addresses", "networks have no effect so far", "give single addresses, or rely on the hosts");
    if (at.clean("resolution")) checkResolution(resolution, value.hosts ?? [], endpoints, at);
    checkOwners(value.hosts ?? [], at);
    checkPortNames(value.ports ?? [], endpoints, at);
    if ((value.ports ?? []).length === 0 && at.clean("ports"))
      at.warnOf("ports", "there are no ports", "give the ports that are called");
    return {
      hosts: value.hosts ?? [],
      addresses: value.addresses ?? [],
      ports: value.ports ?? [],
      location: value.location ?? "MESH_EXTERNAL",
      resolution: resolution === "DYNAMIC_DNS" ? "NONE" : resolution,
      endpoints,
      workloadLabels: value.workloadSelector,
      exportTo: value.exportTo ?? [],
      subjectAltNames: value.subjectAltNames ?? [],
    };
  }),
});

function checkResolution(
  resolution: string,
  hosts: readonly string[],
  endpoints: readonly WorkloadEntrySpec[],
  at: At,
): void {
  const wildcard = hosts.findIndex((each) => each.startsWith("*"));
  const endpointPath = (index: number) => `${at.path}.endpoints[${index}].address`;
  switch (resolution) {
    case "NONE":
      if (endpoints.length > 0)
        at.errorOf("endpoints", "have no use with resolution NONE", "write STATIC or DNS, or remove them");
      if (at.has("workloadSelector"))
        at.warnOf("workloadSelector", "has no effect with resolution NONE", "write STATIC");
      break;
    case "STATIC":
      for (const [index, { address }] of endpoints.entries()) {
        if (address !== "" && isIP(address) === 0 && !address.startsWith("unix://"))
          at.reader.error(
            endpointPath(index),
            address,
            "is not an address",
            "give an address, or write resolution DNS",
          );
      }
      if (endpoints.length === 0 && !at.has("workloadSelector") && at.clean())
        at.warnOf("endpoints", "there are no endpoints", "give endpoints or workloadSelector");
      break;
    case "DNS":
    case "DNS_ROUND_ROBIN":
      if (endpoints.length === 0 && wildcard >= 0)
        at.reader.error(
          `${at.path}.hosts[${wildcard}]`,
          hosts[wildcard],
          "cannot be looked up by DNS",
          "name the host, give endpoints, or write resolution NONE",
        );
      if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1)
        at.errorOf("endpoints", "there may be only one with resolution DNS_ROUND_ROBIN", "keep one, or write DNS");
      break;
    case "DYNAMIC_DNS":
      if (wildcard < 0 && hosts.length > 0)
        at.errorOf("hosts", "need a wildcard with resolution DYNAMIC_DNS", "write DNS");
      for (const name of ["addresses", "endpoints"])
        if (at.has(name)) at.errorOf(name, "have no use with resolution DYNAMIC_DNS", "remove them");
      break;
  }
}

/** What a registered service is, only its own namespace may say. */
function checkOwners(hosts: readonly string[], at: At): void {
  for (const [index, host] of hosts.entries()) {
    const named = clusterService(host);
    if (named === undefined || named.namespace === at.context.namespace) continue;
    at.reader.error(
      `${at.path}.hosts[${index}]`,
      host,
      `is a service of namespace ${named.namespace}`,
      `apply the ServiceEntry in namespace ${named.namespace}, or use a host of your own`,
    );
  }
}

/** An endpoint may only name ports that the entry has. */
function checkPortNames(ports: readonly ServiceEntryPortSpec[], endpoints: readonly WorkloadEntrySpec[], at: At): void {
  if (!at.clean("ports") || !at.clean("endpoints")) return;
  const known = new Set(ports.map(({ name }) => name));
  for (const [index, endpoint] of endpoints.entries()) {
    for (const [name, number] of Object.entries(endpoint.ports)) {
      if (!known.has(name))
        at.reader.error(
          `${at.path}.endpoints[${index}].ports.${name}`,
          number,
          `the entry has no port named ${name}`,
          `its ports are ${[...known].join(", ") || "none"}`,
        );
    }
  }
}
