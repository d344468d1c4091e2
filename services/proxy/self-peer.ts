import { networkInterfaces } from "node:os";
import { serviceHost } from "../../shared/model/index.ts";
import type { ProxyConfig } from "./config.ts";
import { GATEWAY_PORT } from "./gateway/gateway-routes.ts";
import { gatewayListenerName } from "./gateway/listener-name.ts";
import type { RegistrationContent } from "./registration.ts";
import type { Peer } from "./stream/record.ts";

/** This workload, as it shows itself to others. */
export function selfPeer(config: ProxyConfig): Peer {
  const { namespace, serviceAccount, service, instance, labels, trustDomain } = config;
  const version = labels["version"];
  return {
    namespace,
    service,
    host: serviceHost({ namespace, service }),
    workload: config.workload || (version === undefined ? service : `${service}-${version}`),
    instance,
    principal: `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
    labels,
    ip: config.address || advertisedAddress(config.inboundHost),
    port: config.ports[0]?.number ?? 0,
  };
}

/** The same, as the registry is told it. `bound`: name -> port that is listened on. */
export function registrationOf(
  { labels, mode, ports, gatewayPorts, locality, weight }: ProxyConfig,
  self: Peer,
  bound: Readonly<Record<string, number>>,
  version: string,
): RegistrationContent {
  const isGateway = mode === "gateway";
  const declared = isGateway
    ? [GATEWAY_PORT, ...gatewayPorts.map(({ number }) => number)].map((number) => ({ number, protocol: "http" }))
    : ports;
  const addressPort = (number: number): number => bound[isGateway ? gatewayListenerName(number) : "inbound"] ?? 0;
  return {
    workload: self.workload,
    labels: { ...labels },
    address: self.ip,
    ports: declared.map(({ number, protocol }) => ({ number, protocol, addressPort: addressPort(number) })),
    plaintext: isGateway,
    version,
    locality,
    weight,
    gateway: isGateway,
  };
}

/** Where others reach this machine: the address that is listened on, or the first that is not loopback. */
function advertisedAddress(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { internal, family, address } of addresses ?? []) if (!internal && family === "IPv4") return address;
  }
  return "127.0.0.1";
}
