import type { EndpointPort } from "../../../shared/wire/index.ts";
import type { CircuitBreaker } from "../cluster/circuit-breaker.ts";
import type { Connector } from "../cluster/connector.ts";
import { Host, type HostPort } from "../cluster/host.ts";
import type { Peer } from "../stream/record.ts";
import type { ClientTlsPolicy } from "../tls/origination.ts";
import type { Instance } from "./endpoint-names.ts";

interface KnownHost {
  readonly host: Host;
  /** What cannot change without its connections being others. */
  readonly identity: string;
}

/** One cluster's hosts, as its endpoints come and go: a host that only changed its health or weight stays itself. */
export class HostSet {
  readonly #connector: Connector;
  readonly #breaker: CircuitBreaker;
  #hosts = new Map<string, KnownHost>();

  constructor(connector: Connector, breaker: CircuitBreaker) {
    this.#connector = connector;
    this.#breaker = breaker;
  }

  /**
   * The hosts of these endpoints; the others end with their requests. `port`: only those that serve it, and of theirs
   * only that; 0: all. `tls`: towards those without a sidecar.
   */
  update(
    service: Pick<Peer, "namespace" | "service" | "host">,
    endpoints: readonly Instance[],
    port = 0,
    tls?: ClientTlsPolicy,
  ): readonly Host[] {
    const before = this.#hosts;
    this.#hosts = new Map();
    for (const endpoint of endpoints) {
      const { address, labels, principal, plaintext, locality } = endpoint;
      const ports = port === 0 ? endpoint.ports : endpoint.ports.filter(({ number }) => number === port);
      if (port !== 0 && ports.length === 0) continue;
      const about = [address, ports, labels, principal, plaintext, locality, endpoint.service, plaintext && tls];
      const identity = JSON.stringify(about);
      const known = before.get(endpoint.instance);
      const entry =
        known?.identity === identity ? known : { host: this.#create(service, endpoint, ports, tls), identity };
      entry.host.healthy = endpoint.healthy;
      entry.host.weight = endpoint.weight || 1;
      this.#hosts.set(endpoint.instance, entry);
    }
    for (const [instance, { host }] of before) if (this.#hosts.get(instance)?.host !== host) host.close();
    return [...this.#hosts.values()].map(({ host }) => host);
  }

  #create(
    service: Pick<Peer, "namespace" | "service" | "host">,
    endpoint: Instance,
    served: readonly EndpointPort[],
    tls: ClientTlsPolicy | undefined,
  ): Host {
    const { address, plaintext } = endpoint;
    const ports = new Map<number, HostPort>(
      served.map((port) => [
        port.number,
        {
          address,
          port: port.addressPort,
          plaintext,
          tls: plaintext ? tls : undefined,
          ...(endpoint.service !== "" && { own: { service: endpoint.service, port: port.ownNumber || port.number } }),
        },
      ]),
    );
    const peer: Peer = {
      ...service,
      workload: endpoint.workload,
      instance: endpoint.instance,
      principal: plaintext ? "" : endpoint.principal,
      labels: endpoint.labels,
      ip: address,
      port: served[0]?.number ?? 0,
    };
    return new Host({
      peer,
      ports,
      locality: endpoint.locality,
      connector: this.#connector,
      breaker: this.#breaker,
    });
  }
}
