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

const NO_CONFIG = { servers: [], revision: 0 };

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

  constructor(options: GatewayTableOptions) {
    const { namespace, service } = options.self;
    this.#options = options;
    this.#names = gatewayNames(namespace, service);
    this.#ports = options.ports.map((number) => ({ number, routes: undefined, revision: 0 }));
    this.#follow = options.tables.gateway.follow(tableKey(namespace, service));
    this.#follow.onChange(() => this.#rebuild());
    this.#rebuild();
  }

  /** It stays the same object, whatever becomes of its routes. */
  get ports(): readonly GatewayPort[] {
    return this.#ports;
  }

  #rebuild(): void {
    for (const stop of this.#listening.splice(0)) stop();
    const { value } = this.#follow;
    if (value === undefined) {
      if (this.#follow.state === "absent") this.#swap(NO_CONFIG, []);
      return;
    }
    try {
      const config = GatewayConfig.decode(value);
      const entries = new Set<ServiceEntry>();
      const routes = compileGatewayRoutes(config, {
        self: this.#options.self,
        names: this.#names,
        ports: this.#options.ports,
        entry: (namespace, service) => this.#pin(namespace, service, entries),
      });
      const missing = this.#missing(config, entries);
      if (missing === undefined) {
        this.#swap(config, routes, entries);
        const { epoch, sequence } = this.#follow;
        this.#follow.setApplied({ epoch, sequence, revision: config.revision });
        this.#listen(entries, [...entries].map(onlyPort).join());
      } else {
        this.#follow.setApplied({ ...this.#follow.applied, reason: `waiting for ${missing}` });
        this.#listen(entries);
      }
    } catch (error) {
      this.#follow.setApplied({ ...this.#follow.applied, reason: errorMessage(error) });
    }
  }

  #missing({ requires }: GatewayConfig, entries: ReadonlySet<ServiceEntry>): string | undefined {
    for (const { loaded, name, namespace } of entries) if (!loaded) return `service ${name}.${namespace}`;
    const { service: services, endpoints } = this.#options.tables;
    return firstUnheld(requires, { services, endpoints }, new Set([...entries].map(({ follow }) => follow.key)));
  }

  /** `ports`: what routes took the services' only ports for; a change means nothing else. Undefined: anything does. */
  #listen(entries: ReadonlySet<ServiceEntry>, ports?: string): void {
    const onChange = (): void => {
      if (ports === undefined || [...entries].map(onlyPort).join() !== ports) this.#rebuild();
    };
    this.#listening = [...entries].map((entry) => entry.onChange(onChange));
  }

  #pin(namespace: string, service: string, entries: Set<ServiceEntry>): ServiceEntry {
    const entry = this.#options.directory.pin(namespace, service);
    this.#pinned.add(entry);
    entries.add(entry);
    return entry;
  }

  #swap(
    { servers, revision }: Pick<GatewayConfig, "servers" | "revision">,
    routes: readonly GatewayRoute[],
    needed: ReadonlySet<ServiceEntry> = new Set(),
  ): void {
    // All of them before any comes into force: a host that cannot be read throws.
    const made = this.#ports.map(({ number }) => routesOfPort(routes, servers, number));
    for (const [i, port] of this.#ports.entries()) {
      port.routes = made[i];
      port.revision = revision;
    }
    for (const entry of this.#pinned) {
      if (needed.has(entry)) continue;
      this.#pinned.delete(entry);
      this.#options.directory.unpin(entry);
    }
  }
}

/** A gateway is a caller of the mesh's services too, so that a service's rules for the mesh hold for what it lets in. */
export function gatewayNames(namespace: string, name: string): readonly string[] {
  return [MESH, `${namespace}/${name}`];
}
