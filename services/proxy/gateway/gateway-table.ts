import { errorMessage } from "../../../shared/base/index.ts";
import type { Follow, TableFollower } from "../../../shared/bus/index.ts";
import { GatewayConfig, tableKey } from "../../../shared/wire/index.ts";
import type { Directory } from "../mesh/directory.ts";
import type { ServiceEntry } from "../mesh/service-entry.ts";
import { type Condition, compileCondition } from "../route/service-route.ts";

/** Where a gateway sends requests that satisfy the conditions. */
export interface GatewayRoute {
  readonly rule: string;
  readonly conditions: readonly Condition[];
  readonly entry: ServiceEntry;
  /** Undefined: the service's only port, or 80. */
  readonly port: number | undefined;
}

/**
 * The routes of this gateway. It follows the services that they name and no other: a Host header from outside never
 * makes it follow anything. New routes come into force when all of those services are known.
 */
export class GatewayTable {
  readonly #follow: Follow;
  readonly #directory: Directory;
  #routes: readonly GatewayRoute[] = [];
  /** Also those of routes that never came into force. */
  readonly #pinned = new Set<ServiceEntry>();
  #waiting: (() => void)[] = [];

  constructor(gateways: TableFollower, directory: Directory, namespace: string, name: string) {
    this.#directory = directory;
    this.#follow = gateways.follow(tableKey(namespace, name));
    this.#follow.onChange(() => this.#rebuild());
    this.#rebuild();
  }

  get routes(): readonly GatewayRoute[] {
    return this.#routes;
  }

  #rebuild(): void {
    for (const stop of this.#waiting.splice(0)) stop();
    const { value } = this.#follow;
    if (value === undefined) {
      if (this.#follow.state === "absent") this.#swap([]);
      return;
    }
    try {
      const config = GatewayConfig.decode(value);
      const routes = config.routes.map((route): GatewayRoute => {
        const { namespace = "", service = "" } = route.destination ?? {};
        return {
          rule: route.rule,
          conditions: (route.match?.headers ?? []).map(compileCondition),
          entry: this.#pin(namespace, service),
          port: route.port || undefined,
        };
      });
      const unknown = routes.find((route) => !route.entry.loaded);
      if (unknown !== undefined) {
        const { name, namespace } = unknown.entry;
        this.#follow.setApplied({ ...this.#follow.applied, reason: `waiting for service ${name}.${namespace}` });
        this.#waiting.push(unknown.entry.onChange(() => this.#rebuild()));
        return;
      }
      this.#swap(routes);
      this.#follow.setApplied({
        epoch: this.#follow.epoch,
        sequence: this.#follow.sequence,
        revision: config.revision,
      });
    } catch (error) {
      this.#follow.setApplied({ ...this.#follow.applied, reason: errorMessage(error) });
    }
  }

  #pin(namespace: string, service: string): ServiceEntry {
    const entry = this.#directory.pin(namespace, service);
    this.#pinned.add(entry);
    return entry;
  }

  #swap(routes: readonly GatewayRoute[]): void {
    this.#routes = routes;
    const needed = new Set(routes.map((route) => route.entry));
    for (const entry of this.#pinned) {
      if (needed.has(entry)) continue;
      this.#pinned.delete(entry);
      this.#directory.unpin(entry);
    }
  }
}
