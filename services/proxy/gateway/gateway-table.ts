import { errorMessage } from "../../../shared/base/index.ts";
import type { FollowedKey, FollowedTable } from "../../../shared/bus/index.ts";
import { GatewayConfig, tableKey } from "../../../shared/wire/index.ts";
import type { Directory } from "../mesh/directory.ts";
import { firstUnheld } from "../mesh/requirements.ts";
import type { ServiceEntry } from "../mesh/service-entry.ts";
import { MESH } from "../route/caller.ts";
import type { Peer } from "../stream/record.ts";
import {
  compileGatewayRoutes,
  type GatewayPortRoutes,
  type GatewayRoute,
  onlyPort,
  routesOfPort,
} from "./gateway-routes.ts";

export interface GatewayTableOptions {
  readonly tables: {
    readonly gateway: FollowedTable;
    readonly service: FollowedTable;
    readonly endpoints: FollowedTable;
  };
  readonly directory: Directory;
  readonly self: Peer;
  /** Of the gateway's ports. */
  readonly ports: readonly number[];
}

/** What one port has at the moment; undefined: nothing has come into force yet. */
export interface GatewayPort {
  readonly number: number;
  routes: GatewayPortRoutes | undefined;
  /** Of the configuration that these are of. */
  revision: number;
}

interface Compiled {
  readonly config: GatewayConfig;
  readonly routes: readonly GatewayRoute[];
  /** All that the routes lead to, each with its only port when they were compiled (0: it has several). */
  readonly entries: ReadonlyMap<ServiceEntry, number>;
}

const NO_CONFIG = GatewayConfig.decode(GatewayConfig.encode({}));

/**
 * The servers and routes of this gateway. It follows the services that the routes of its ports name and no other: a Host
 * header from outside never makes it follow anything. New ones come into force when all of those services, and what the
 * configuration requires of them, are known; until then the last ones stay.
 */
export class GatewayTable {
  readonly #options: GatewayTableOptions;
  readonly #follow: FollowedKey;
  readonly #names: readonly string[];
  readonly #ports: readonly GatewayPort[];
  /** Also those of routes that never came into force. */
  readonly #pinned = new Set<ServiceEntry>();
  #listening: (() => void)[] = [];
  #inForce: Compiled | undefined;
  /** Comes into force as soon as everything is here. */
  #waiting: Compiled | undefined;

  constructor(options: GatewayTableOptions) {
    const { namespace, service } = options.self;
    this.#options = options;
    this.#names = gatewayNames(namespace, service);
    this.#ports = options.ports.map((number) => ({ number, routes: undefined, revision: 0 }));
    this.#follow = options.tables.gateway.follow(tableKey(namespace, service));
    this.#follow.onChange(() => this.#onConfig());
    this.#onConfig();
  }

  /** It stays the same object, whatever becomes of its routes. */
  get ports(): readonly GatewayPort[] {
    return this.#ports;
  }

  #onConfig(): void {
    this.#stopListening();
    const { value, state } = this.#follow;
    if (value === undefined) {
      if (state === "absent") this.#swap({ config: NO_CONFIG, routes: [], entries: new Map() });
      return;
    }
    this.#orRefuse(() => {
      const compiled = this.#compile(GatewayConfig.decode(value));
      this.#waiting = compiled;
      this.#listening = [...compiled.entries.keys()].map((entry) => entry.onChange(() => this.#onEntry(entry)));
      this.#adopt(compiled);
    });
  }

  /** Entries change with every instance that comes or goes: only what bears on the routes is looked at. */
  #onEntry(entry: ServiceEntry): void {
    const waiting = this.#waiting;
    if (waiting !== undefined) this.#orRefuse(() => this.#adopt(waiting));
    else if (onlyPort(entry) !== this.#inForce?.entries.get(entry)) this.#onConfig();
  }

  #adopt(compiled: Compiled): void {
    const { config } = compiled;
    const missing = this.#missing(config, [...compiled.entries.keys()]);
    if (missing !== undefined) {
      const reason = `waiting for ${missing}`;
      if (this.#follow.applied.reason !== reason) this.#follow.setApplied({ ...this.#follow.applied, reason });
      return;
    }
    const isCurrent = [...compiled.entries].every(([entry, port]) => onlyPort(entry) === port);
    this.#swap(isCurrent ? compiled : this.#compile(config));
    const { epoch, sequence } = this.#follow;
    this.#follow.setApplied({ epoch, sequence, revision: config.revision });
  }

  #compile(config: GatewayConfig): Compiled {
    const entries = new Map<ServiceEntry, number>();
    const routes = compileGatewayRoutes(config, {
      self: this.#options.self,
      names: this.#names,
      ports: this.#options.ports,
      entry: (namespace, service) => {
        const entry = this.#options.directory.pin(namespace, service);
        this.#pinned.add(entry);
        entries.set(entry, onlyPort(entry));
        return entry;
      },
    });
    return { config, routes, entries };
  }

  /** What cannot be carried out leaves the last in force. */
  #orRefuse(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#stopListening();
      this.#follow.setApplied({ ...this.#follow.applied, reason: errorMessage(error) });
    }
  }

  #missing({ requires }: GatewayConfig, entries: readonly ServiceEntry[]): string | undefined {
    const unknown = entries.find((entry) => !entry.loaded);
    if (unknown !== undefined) return `service ${unknown.name}.${unknown.namespace}`;
    const { service: services, endpoints } = this.#options.tables;
    return firstUnheld(requires, { services, endpoints }, new Set(entries.map(({ follow }) => follow.key)));
  }

  #stopListening(): void {
    for (const stop of this.#listening.splice(0)) stop();
    this.#waiting = undefined;
  }

  #swap(compiled: Compiled): void {
    const { routes, entries } = compiled;
    const { servers, revision } = compiled.config;
    // All of them before any comes into force: a host that cannot be read throws.
    const made = this.#ports.map(({ number }) => routesOfPort(routes, servers, number));
    for (const [i, port] of this.#ports.entries()) {
      port.routes = made[i];
      port.revision = revision;
    }
    this.#inForce = compiled;
    this.#waiting = undefined;
    for (const entry of this.#pinned) {
      if (entries.has(entry)) continue;
      this.#pinned.delete(entry);
      this.#options.directory.unpin(entry);
    }
  }
}

/** A gateway is a caller of the mesh's services too, so that a service's rules for the mesh hold for what it lets in. */
export function gatewayNames(namespace: string, name: string): readonly string[] {
  return [MESH, `${namespace}/${name}`];
}
