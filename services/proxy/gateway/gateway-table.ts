import { errorMessage } from "../../../shared/base/index.ts";
import type { FollowedKey, FollowedTable } from "../../../shared/bus/index.ts";
import { GatewayConfig, type GatewayRoute as RouteMessage, tableKey } from "../../../shared/wire/index.ts";
import type { Directory } from "../mesh/directory.ts";
import type { ServiceEntry } from "../mesh/service-entry.ts";
import { MESH, whyNotFor } from "../route/caller.ts";
import { compileConditions } from "../route/condition.ts";
import { parseHostPattern } from "../route/host-pattern.ts";
import { HostTable } from "../route/host-table.ts";
import type { Matchable } from "../route/matching.ts";
import { RouteTable } from "../route/route-table.ts";
import { UNKNOWN_PEER } from "../stream/record.ts";

/** The port that it has in the mesh's eyes, whichever it listens on. */
export const GATEWAY_PORT = 80;

/** Where a gateway sends requests that satisfy the conditions. */
export interface GatewayRoute extends Matchable {
  readonly rule: string;
  readonly entry: ServiceEntry;
  /** Undefined: the service's only port, or 80. */
  readonly port: number | undefined;
  /** Patterns; at least one. */
  readonly hosts: readonly string[];
}

/** Whoever calls from outside is of no service: rules for certain callers are for none of them. */
export function compileGatewayRoutes(
  routes: readonly RouteMessage[],
  names: readonly string[],
  entryOf: (namespace: string, service: string) => ServiceEntry,
): GatewayRoute[] {
  return routes
    .filter(({ match }) => whyNotFor(match, UNKNOWN_PEER, names) === undefined)
    .map(({ rule, match, destination, port, hosts }) => ({
      rule,
      conditions: compileConditions(match),
      entry: entryOf(destination?.namespace ?? "", destination?.service ?? ""),
      port: port || undefined,
      hosts: hosts.length === 0 ? ["*"] : hosts,
    }));
}

/**
 * The routes of each host, in their order. A request meets those of the most specific host that fits it and no others,
 * as with Envoy's virtual hosts. Throws on a pattern that cannot be read.
 */
export function groupByHost(routes: readonly GatewayRoute[]): HostTable<RouteTable<GatewayRoute>> {
  const groups = new Map<string, GatewayRoute[]>();
  for (const route of routes) {
    for (const host of new Set(route.hosts.map((pattern) => parseHostPattern(pattern).text))) {
      const group = groups.get(host);
      if (group === undefined) groups.set(host, [route]);
      else group.push(route);
    }
  }
  return new HostTable([...groups].map(([host, group]) => [host, new RouteTable(group)]));
}

/**
 * The routes of this gateway. It follows the services that they name and no other: a Host header from outside never
 * makes it follow anything. New routes come into force when all of those services are known.
 */
export class GatewayTable {
  readonly #follow: FollowedKey;
  readonly #directory: Directory;
  /** What it answers to in rules. */
  readonly #names: readonly string[];
  #hosts = groupByHost([]);
  /** Also those of routes that never came into force. */
  readonly #pinned = new Set<ServiceEntry>();
  #waiting: (() => void)[] = [];

  constructor(gateways: FollowedTable, directory: Directory, namespace: string, name: string) {
    this.#directory = directory;
    this.#names = gatewayNames(namespace, name);
    this.#follow = gateways.follow(tableKey(namespace, name));
    this.#follow.onChange(() => this.#rebuild());
    this.#rebuild();
  }

  /** By the host of a request. */
  get hosts(): HostTable<RouteTable<GatewayRoute>> {
    return this.#hosts;
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
      const routes = compileGatewayRoutes(config.routes, this.#names, (namespace, service) =>
        this.#pin(namespace, service),
      );
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
    this.#hosts = groupByHost(routes);
    const needed = new Set(routes.map((route) => route.entry));
    for (const entry of this.#pinned) {
      if (needed.has(entry)) continue;
      this.#pinned.delete(entry);
      this.#directory.unpin(entry);
    }
  }
}

/** A gateway is a caller of the mesh's services too, so that a service's rules for the mesh hold for what it lets in. */
export function gatewayNames(namespace: string, name: string): readonly string[] {
  return [MESH, `${namespace}/${name}`];
}
