import { isIP } from "node:net";
import { dnsLabel, string } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";
import { destination } from "./destination.ts";
import { count, gatewayNames, host, port, workloadLabels } from "./networking.ts";

/** Routes of connections and of TLS: read and judged in full, and refused as long as only HTTP passes through the proxy. */

/** An address, or a network such as 10.1.0.0/16. */
export const subnet: Schema<string> = checked(
  string(),
  (text, at) => {
    const [address = "", length, ...rest] = text.split("/");
    const version = isIP(address);
    const isLength = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128));
    if (version !== 0 && isLength && rest.length === 0) return text;
    return at.error(`${JSON.stringify(text)} is no address or network`, "such as 10.1.2.3 or 10.1.0.0/16");
  },
  { format: "address or network" },
);

const route = checked(
  list(
    object({
      destination: field(destination, "Where to.", { required: true }),
      weight: field(count(), "Share of the connections, relative to the other weights.", { default: "0" }),
    }),
    { atLeastOne: "destination" },
  ),
  (items, at) => {
    const total = items.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
    if (items.length > 1 && total === 0 && at.clean()) at.error("the weights add up to 0", "give weights");
    return items;
  },
);

const common = {
  destinationSubnets: field(list(subnet), "Addresses that were called."),
  port: field(port(), "The port that was called.", { default: "any" }),
  sourceLabels: field(workloadLabels(), "Only callers with these labels."),
  gateways: field(gatewayNames(), "Only there.", { default: "those of the VirtualService" }),
  sourceNamespace: field(dnsLabel(), "Only callers of this namespace.", { default: "any" }),
};

export const tcpRoutes = list(
  object({
    match: field(
      list(object({ ...common, sourceSubnet: field(string(), "Address of the caller.") })),
      "Which connections: those for which any entry holds.",
      { default: "all" },
    ),
    route: field(route, "Where they go, by weight.", { required: true }),
  }),
);

export const tlsRoutes = list(
  object({
    match: field(
      list(
        object({
          ...common,
          sniHosts: field(
            list(host({ star: true, wildcards: true, addresses: true, short: true }), { atLeastOne: "host" }),
            "Names that the client asks for.",
            { required: true },
          ),
        }),
        { atLeastOne: "condition" },
      ),
      "Which connections: those for which any entry holds.",
      { required: true },
    ),
    route: field(route, "Where they go, by weight.", { required: true }),
  }),
);
