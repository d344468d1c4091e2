import { http1Settings } from "../config.ts";
import type { Frontend, FrontendParts } from "../frontend.ts";
import type { RouteConfigView } from "../plane/route-views.ts";
import { GATEWAY_PORT } from "./gateway-routes.ts";
import { GatewayTable, type GatewayTableOptions } from "./gateway-table.ts";
import { gatewayRouteViews } from "./gateway-views.ts";
import { createGatewayListener } from "./listener.ts";
import { gatewayListenerName } from "./listener-name.ts";
import { gatewayStacks } from "./stack.ts";

/** The mesh's door: ports for those outside. */
export class Gateway implements Frontend {
  readonly clusters = [];
  readonly #parts: FrontendParts;
  readonly #table: GatewayTable;

  constructor(parts: FrontendParts, tables: GatewayTableOptions["tables"]) {
    const { config, directory, self } = parts;
    this.#parts = parts;
    const ports = [GATEWAY_PORT, ...config.gatewayPorts.map(({ number }) => number)];
    this.#table = new GatewayTable({ tables, directory, self, ports });
  }

  get routes(): readonly RouteConfigView[] {
    return this.#table.ports.flatMap(gatewayRouteViews);
  }

  async listen(): Promise<Record<string, number>> {
    const { config, self, directory, gate, overload, tracer, clock, share, listeners, sinks, logSinks } = this.#parts;
    const stackOf = gatewayStacks({
      self,
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
    const listenPorts = new Map(config.gatewayPorts.map(({ number, port }) => [number, port]));
    const bound: Record<string, number> = {};
    for (const port of this.#table.ports) {
      const listener = createGatewayListener(self, stackOf(port), clock, http1Settings(config));
      const name = gatewayListenerName(port.number);
      const wanted = listenPorts.get(port.number) ?? config.gatewayPort;
      bound[name] = await listeners.open(name, listener, config.gatewayHost, wanted);
    }
    return bound;
  }

  /** Those outside do not ask for a certificate yet. */
  renew(): void {}

  close(): void {}
}
