import { defineKind } from "../define-kind.ts";
import { isIpv4Cidr } from "../hosts.ts";
import { bool, string } from "../scalars.ts";
import { checked, field, list, object } from "../schema.ts";
import type { EgressRuleSpec } from "../specs-networking.ts";
import { outsideService } from "./common.ts";
import { port as portNumber } from "./networking.ts";

const PROTOCOLS = ["http", "https", "http2", "grpc", "tcp", "mongo"];
const HTTP = "only HTTP passes through the proxy so far";

const protocol = checked(
  string(),
  (text, at) => {
    const name = text.toLowerCase();
    if (!PROTOCOLS.includes(name))
      return at.error(`${JSON.stringify(text)} is not a protocol`, `write one of ${PROTOCOLS.join(", ")}`);
    if (name !== "http" && name !== "https") at.refuse(`write http, or https for TLS from the sidecar: ${HTTP}`);
    return name;
  },
  { format: "protocol" },
);

const port = checked(
  object({
    port: field(portNumber(), "The port.", { required: true }),
    protocol: field(protocol, "http; https where the application speaks plain HTTP and the sidecar TLS.", {
      required: true,
    }),
  }),
  (value) => ({ port: value.port ?? 0, protocol: value.protocol ?? "http" }),
);

const ports = checked(list(port, { atLeastOne: "port" }), (items, at) => {
  for (const [index, each] of items.entries()) {
    if (each.port !== 0 && items.findIndex((other) => other.port === each.port) < index && at.clean())
      at.reader.error(`${at.path}[${index}].port`, each.port, "given twice", "keep one entry of the port");
  }
  return items;
});

const schema = object({
  destination: field(outsideService(), "The host outside, in service: a domain, or *. and a domain.", {
    required: true,
  }),
  ports: field(ports, "Ports that may be called.", { required: true }),
  useEgressProxy: field(bool(), "Whether requests go through an egress proxy.", {
    unsupported: { remedy: "use a VirtualService that routes the host to a gateway", harmless: [false] },
  }),
});

/** EgressRule: a host outside that may be called. */
export const EGRESS_RULE = defineKind<EgressRuleSpec>({
  kind: "EgressRule",
  plural: "egressrules",
  class: "traffic",
  doc: "Makes a host outside of the mesh known, so that rules apply to requests for it.",
  schema: checked(schema, (value, at): EgressRuleSpec => {
    const service = value.destination?.host ?? "";
    for (const [index, { protocol: given }] of (value.ports ?? []).entries()) {
      if (isIpv4Cidr(service) && given !== "tcp" && given !== "mongo")
        at.reader.error(
          `${at.path}.ports[${index}].protocol`,
          given,
          "addresses take only tcp and mongo",
          "give service a domain",
        );
    }
    return { service, ports: value.ports ?? [] };
  }),
});
