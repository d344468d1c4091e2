import { resolveHost, type ServiceName } from "../../../shared/model/index.ts";
import type { Exchange } from "../filter/exchange.ts";
import type { Filter, FilterVerdict } from "../filter/filter.ts";
import { holdFor } from "../filter/hold.ts";
import type { Directory, Lookup } from "../mesh/directory.ts";
import type { EgressScope } from "../mesh/egress-scope.ts";
import type { HostBook } from "../mesh/host-book.ts";
import { portOf, type ServiceSnapshot } from "../mesh/service-snapshot.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { splitAuthority } from "../route/authority.ts";
import type { HostTable } from "../route/host-table.ts";
import { detachedText } from "../stream/detached-text.ts";
import { UNKNOWN_PEER } from "../stream/record.ts";

/** Finds the route of a request to a known service; answers the exchange itself when there is none. */
export function routeTo(exchange: Exchange, snapshot: ServiceSnapshot, namedPort: number | undefined): FilterVerdict {
  const { record } = exchange;
  const port = portOf(snapshot, namedPort);
  record.destination = snapshot.peers.get(port ?? 0) ?? UNKNOWN_PEER;
  const route = port === undefined ? undefined : snapshot.routes.match(exchange.head, port);
  if (port === undefined || route === undefined) {
    exchange.reply(404, "route_not_found", "NR", "");
    return "wait";
  }
  exchange.service = snapshot;
  exchange.route = route;
  exchange.servicePort = port;
  record.route = route.name;
  return "continue";
}

export type OutboundRules = Pick<MeshSettings, "scope" | "outboundPolicy">;

export interface ResolveOptions {
  readonly namespace: string;
  readonly directory: Directory;
  readonly hosts: Pick<HostBook, "table">;
  /** What the application may call, as it is in force now. */
  rules(): OutboundRules;
}

/** What an authority means to this proxy. */
interface NamedHost {
  /** Undefined: no service's name, or that of one which is not in scope. */
  readonly service: ServiceName | undefined;
  readonly port: number | undefined;
}

/** Of an absolute target `https:` that names none. */
const HTTPS_PORT = 443;
/** An application calls few hosts again and again: what they mean is worked out once. */
const MAX_NAMED_HOSTS = 1024;

/**
 * Finds the service that a request's host means to its caller's namespace, and the route: a registered service of that
 * name, else what the namespace's hosts say. A host that is neither is outside. The first request for a service waits
 * for the bus; while the bus has not answered, nothing is decided: 503, never a guess.
 *
 * A scope is looked at when a name is met for the first time, not for each request: a service out of scope is not even
 * looked up, so it costs neither memory nor messages.
 */
export class ResolveFilter implements Filter {
  readonly name = "resolve";
  readonly #options: ResolveOptions;
  readonly #named = new Map<string, NamedHost>();
  /** That `#named` was worked out with. */
  #scope: EgressScope | undefined;

  constructor(options: ResolveOptions) {
    this.#options = options;
  }

  onRequest(exchange: Exchange): FilterVerdict {
    const { scope } = this.#options.rules();
    if (scope !== this.#scope) {
      this.#scope = scope;
      this.#named.clear();
    }
    const named = this.#nameOf(exchange.head.authority);
    const { service } = named;
    const port = named.port ?? (exchange.head.scheme === "https" ? HTTPS_PORT : undefined);
    if (service === undefined) return this.#byHost(exchange, port);
    const lookup = this.#options.directory.lookup(service.namespace, service.service);
    if (lookup instanceof Promise) return holdFor(exchange, lookup, (late) => this.#byName(exchange, late, port));
    return this.#byName(exchange, lookup, port);
  }

  #nameOf(authority: string): NamedHost {
    const known = this.#named.get(authority);
    if (known !== undefined) return known;
    const kept = detachedText(authority);
    const { host, port } = splitAuthority(kept);
    const service = resolveHost(host, this.#options.namespace);
    const isInScope = service === undefined || this.#scope === undefined || this.#scope.admitsService(service);
    const named: NamedHost = { service: isInScope ? service : undefined, port };
    if (this.#named.size >= MAX_NAMED_HOSTS) this.#named.clear();
    this.#named.set(kept, named);
    return named;
  }

  #byName(exchange: Exchange, lookup: Lookup, port: number | undefined): FilterVerdict {
    switch (lookup.state) {
      case "present":
        return routeTo(exchange, lookup.snapshot, port);
      case "absent":
        return this.#byHost(exchange, port);
      case "unavailable":
        return notKnownYet(exchange);
    }
  }

  #byHost(exchange: Exchange, port: number | undefined): FilterVerdict {
    const table = this.#options.hosts.table(this.#scope);
    if (table instanceof Promise) return holdFor(exchange, table, (late) => this.#byTable(exchange, late, port));
    return this.#byTable(exchange, table, port);
  }

  #byTable(exchange: Exchange, table: HostTable<ServiceName> | undefined, port: number | undefined): FilterVerdict {
    if (table === undefined) return notKnownYet(exchange);
    const service = table.find(exchange.head.authority, port);
    if (service === undefined) return this.#outside(exchange);
    const lookup = this.#options.directory.lookup(service.namespace, service.service);
    if (lookup instanceof Promise) return holdFor(exchange, lookup, (late) => toNamed(exchange, late, port));
    return toNamed(exchange, lookup, port);
  }

  #outside(exchange: Exchange): FilterVerdict {
    if (this.#options.rules().outboundPolicy === "ALLOW_ANY") {
      exchange.record.route = "passthrough";
      return "continue";
    }
    exchange.reply(502, "host_not_registered", "NR", "host is not in the registry");
    return "wait";
  }
}

/** Configuration has named the service, so the request is for that one or for none. */
export function toNamed(exchange: Exchange, lookup: Lookup, port: number | undefined): FilterVerdict {
  if (lookup.state === "present") return routeTo(exchange, lookup.snapshot, port);
  exchange.reply(503, "cluster_not_found", "NC", "the service is not known");
  return "wait";
}

export function notKnownYet(exchange: Exchange): "wait" {
  exchange.reply(503, "service_not_known_yet", "NC", "the mesh's configuration is not available");
  return "wait";
}
