import type { FollowedTable } from "../../../shared/bus/index.ts";
import { http1Settings } from "../config.ts";
import type { Frontend, FrontendParts } from "../frontend.ts";
import { GatewayTable } from "./gateway-table.ts";
import { createGatewayListener } from "./listener.ts";
import { gatewayStack } from "./stack.ts";

/** The mesh's door: one port for those outside. */
export class Gateway implements Frontend {
  readonly applications = [];
  readonly #parts: FrontendParts;
  readonly #table: GatewayTable;

  constructor(parts: FrontendParts, gateways: FollowedTable) {
    const { config, directory } = parts;
    this.#parts = parts;
    this.#table = new GatewayTable(gateways, directory, config.namespace, config.service);
  }

  async listen(): Promise<Record<string, number>> {
    const { config, self, directory, gate, overload, tracer, clock, share, listeners, sinks, logSinks } = this.#parts;
    const stack = gatewayStack({
      self,
      table: this.#table,
      directory,
      check: (record) => gate.check(record),
      overload,
      tracer,
      trustedHops: config.trustedHops,
      clock,
      share,
      sinks: [...sinks, ...logSinks],
      edgeSinks: sinks,
    });
    const listener = createGatewayListener(self, stack, clock, http1Settings(config));
    return { gateway: await listeners.open("gateway", listener, config.gatewayHost, config.gatewayPort) };
  }

  /** Those outside do not ask for a certificate yet. */
  renew(): void {}

  close(): void {}
}
