import type { FollowedTable } from "../../shared/bus/index.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { http1Settings } from "./config.ts";
import type { Frontend, FrontendParts } from "./frontend.ts";
import type { IdentityMaterial } from "./identity/material.ts";
import { Applications } from "./inbound/applications.ts";
import { InboundListener } from "./inbound/listener.ts";
import { grpcHealthStack, type InboundOptions, inboundStack } from "./inbound/stack.ts";
import { HostBook } from "./mesh/host-book.ts";
import { createOutboundListener } from "./outbound/listener.ts";
import { Passthrough } from "./outbound/passthrough.ts";
import { outboundStack } from "./outbound/stack.ts";
import { GRPC_HEALTH, HTTP1 } from "./tls/protocols.ts";

/** A workload's proxy: one port for its application's own requests, one for those of other proxies. */
export class Sidecar implements Frontend {
  /** All are of services. */
  readonly routes = [];
  readonly #parts: FrontendParts;
  readonly #applications: Applications;
  readonly #passthrough: Passthrough;
  readonly #hosts: HostBook;
  readonly #inbound: InboundListener;
  readonly #stopSweep: () => void;
  #outboundPort: number;

  constructor(parts: FrontendParts, hosts: FollowedTable, material: IdentityMaterial) {
    const { config, self, connector, clock, share, log } = parts;
    this.#parts = parts;
    this.#outboundPort = config.outboundPort;
    this.#applications = new Applications(self, config.ports, connector, share, clock);
    this.#passthrough = new Passthrough(
      connector,
      (address, port) => port === this.#outboundPort && isLoopback(address),
      share,
    );
    this.#hosts = new HostBook(hosts, config.namespace, clock);
    this.#stopSweep = clock.every(1_000, () => this.#passthrough.sweep(Date.now()));
    this.#inbound = new InboundListener(
      {
        self,
        stacks: this.#inboundStacks(),
        clock,
        settings: http1Settings(config),
        log,
        isOwnService: (name) => name === config.service,
      },
      material,
    );
  }

  get clusters(): Iterable<Cluster> {
    return [...this.#applications.clusters, ...this.#passthrough.clusters];
  }

  async listen(): Promise<Record<string, number>> {
    const { config, self, clock, listeners } = this.#parts;
    const { inboundHost, inboundPort, outboundHost, outboundPort } = config;
    const inbound = await listeners.open("inbound", this.#inbound.listener, inboundHost, inboundPort);
    const outbound = createOutboundListener(self, this.#outboundStack(), clock, http1Settings(config));
    this.#outboundPort = await listeners.open("outbound", outbound, outboundHost, outboundPort);
    return { outbound: this.#outboundPort, inbound };
  }

  renew(material: IdentityMaterial): void {
    this.#inbound.renew(material);
  }

  close(): void {
    this.#stopSweep();
    this.#hosts.close();
    this.#passthrough.close();
    this.#applications.close();
  }

  #inboundStacks() {
    const { gate, overload, tracer, sinks, logSinks } = this.#parts;
    const options: InboundOptions = {
      check: (record) => gate.check(record),
      overload,
      tracer,
      sinks: [...sinks, ...logSinks],
      application: (port) => this.#applications.get(port),
    };
    return new Map([
      [HTTP1, inboundStack(options)],
      [GRPC_HEALTH, grpcHealthStack(options)],
    ]);
  }

  #outboundStack() {
    const { config, directory, overload, tracer, settings, clock, share, sinks, logSinks } = this.#parts;
    return outboundStack({
      namespace: config.namespace,
      directory,
      hosts: this.#hosts,
      rules: () => settings.current,
      passthrough: this.#passthrough,
      overload,
      tracer,
      clock,
      share,
      sinks: [...sinks, ...logSinks],
    });
  }
}

function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address.startsWith("127.");
}
