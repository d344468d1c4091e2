import { defineKind } from "../define-kind.ts";
import { isDnsLabel } from "../hosts.ts";
import type { At } from "../reader.ts";
import { NETWORKING_API_VERSIONS } from "../resource.ts";
import { string, text } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";
import type { GatewayServerSpec, GatewaySpec, ScopedHost } from "../specs-networking.ts";
import { checkHost, port as portNumber, protocol, uint32, workloadLabels } from "./networking.ts";
import { type ServerTls, serverTls } from "./server-tls.ts";

const TLS = new Set(["https", "tls"]);
const HTTP = new Set(["http", "http2", "grpc", "grpc-web", "http_proxy"]);
const NO_PORT = { number: 0, name: "", protocol: "http" };

const port = checked(
  object({
    number: field(portNumber(), "The port; 80 stands for the port that the gateway's HTTP listener has.", {
      required: true,
    }),
    protocol: field(protocol("write HTTP: only HTTP passes through gateways so far"), "HTTP.", { required: true }),
    name: field(text("the port's name"), "Name of the port, unique in the gateway.", { required: true }),
    targetPort: field(uint32(), "Port of the instances.", {
      unsupported: { remedy: "remove it: a gateway's listeners are set where it is started", harmless: [0] },
    }),
  }),
  (value) => ({ number: value.number ?? 0, name: value.name ?? "", protocol: value.protocol ?? "http" }),
);

/** `<namespace>/<host>`, or a host for VirtualServices of any namespace. */
const scopedHost: Schema<ScopedHost> = checked(
  string(),
  (given, at) => {
    const slash = given.indexOf("/");
    const namespace = slash < 0 ? "*" : given.slice(0, slash);
    if (namespace !== "*" && namespace !== "." && !isDnsLabel(namespace))
      return at.error(`${JSON.stringify(namespace)} is no namespace`, "write *, . (the own one) or the name of one");
    const host = checkHost(given.slice(slash + 1), at, { star: true, wildcards: true, addresses: true });
    if (host === undefined) return undefined;
    return { namespace: namespace === "." ? at.context.namespace : namespace, host };
  },
  { format: "host, or namespace/host" },
);

const server = checked(
  object({
    port: field(port, "Where it listens.", { required: true }),
    bind: field(string(), "Address to listen at.", {
      unsupported: { remedy: "set it where the gateway is started", harmless: ["", "0.0.0.0"] },
    }),
    hosts: field(
      list(scopedHost, { atLeastOne: "host, or *" }),
      "Hosts that it serves; namespace/host only for VirtualServices of that namespace.",
      {
        required: true,
      },
    ),
    tls: field(serverTls, "How connections are secured."),
    defaultEndpoint: field(string(), "Where requests without a route go.", {
      unsupported: { remedy: "use a VirtualService with a route for all requests", harmless: [""] },
    }),
    name: field(string(), "Name of the server."),
  }),
  (value, at): GatewayServerSpec => {
    const { number, name, protocol: given } = value.port ?? NO_PORT;
    checkTls(given, value.tls, at);
    return {
      name: value.name ?? "",
      port: number,
      portName: name,
      protocol: given,
      hosts: value.hosts ?? [],
      httpsRedirect: value.tls?.httpsRedirect ?? false,
    };
  },
);

function checkTls(given: string, tls: ServerTls | undefined, at: At): void {
  if (!at.clean("port") || !at.clean("tls")) return;
  if (TLS.has(given) && tls === undefined)
    at.errorOf("tls", "required", `protocol ${given.toUpperCase()} needs it: say how connections are secured`);
  if (TLS.has(given) || tls === undefined) return;
  if (!HTTP.has(given)) at.errorOf("tls", "is only for protocols HTTPS, TLS and HTTP", "remove it");
  else if (tls.isForTls)
    at.errorOf("tls", "has no meaning for plain HTTP", "keep httpsRedirect alone, or write protocol HTTPS");
}

const servers = checked(list(server, { atLeastOne: "server" }), (items, at) => {
  for (const [index, { portName }] of items.entries()) {
    const twin = items.findIndex((other) => other.portName === portName);
    if (portName !== "" && twin < index && at.clean())
      at.reader.error(
        `${at.path}[${index}].port.name`,
        portName,
        `is the name of servers[${twin}] too`,
        "give each port its own name",
      );
  }
  return items;
});

/** Gateway: what a gateway's workloads let in. */
export const GATEWAY = defineKind<GatewaySpec>({
  kind: "Gateway",
  plural: "gateways",
  shortNames: ["gw"],
  apiVersions: NETWORKING_API_VERSIONS,
  class: "traffic",
  doc: "Says at which ports and for which hosts gateways take requests; VirtualServices that name it say where they go.",
  schema: checked(
    object({
      servers: field(servers, "What it takes.", { required: true }),
      selector: field(workloadLabels(), "Labels of the gateways that it is for, all of them.", {
        default: "all gateways",
      }),
    }),
    (value): GatewaySpec => ({ selector: value.selector ?? {}, servers: value.servers ?? [] }),
  ),
});
