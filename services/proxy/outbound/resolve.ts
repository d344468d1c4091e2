import { resolveHost, type ServiceName } from "../../../shared/model/index.ts";
import type { Exchange } from "../filter/exchange.ts";
import type { Filter } from "../filter/filter.ts";
import type { Directory, Lookup } from "../mesh/directory.ts";
import { portOf, type ServiceSnapshot } from "../mesh/service-snapshot.ts";
import { UNKNOWN_PEER } from "../stream/record.ts";

/** Host and port of an authority; undefined when it names no port. */
export function splitAuthority(authority: string): { host: string; port: number | undefined } {
  const match = /^(.*?)(?::(\d{1,5}))?$/.exec(authority);
  return { host: match?.[1] ?? authority, port: match?.[2] === undefined ? undefined : Number(match[2]) };
}

/** Finds the route of a request to a known service; answers the exchange itself when there is none. */
export function routeTo(exchange: Exchange, snapshot: ServiceSnapshot, namedPort: number | undefined): boolean {
  const { record } = exchange;
  const port = portOf(snapshot, namedPort);
  record.destination = snapshot.peers.get(port ?? 0) ?? UNKNOWN_PEER;
  const route = port === undefined ? undefined : snapshot.routes.match(exchange.head, port);
  if (port === undefined || route === undefined) {
    exchange.reply(404, "route_not_found", "NR", "");
    return false;
  }
  exchange.service = snapshot;
  exchange.route = route;
  exchange.servicePort = port;
  record.route = route.rule;
  return true;
}

export interface ResolveOptions {
  readonly namespace: string;
  readonly directory: Directory;
  readonly policy: "ALLOW_ANY" | "REGISTRY_ONLY";
}

/** What an authority means to this proxy. */
interface NamedHost {
  readonly service: ServiceName | undefined;
  readonly port: number | undefined;
}

/** An application calls few hosts again and again: what they mean is worked out once. */
const MAX_NAMED_HOSTS = 1024;

/**
 * Finds the service that a request's host names, as its caller's namespace sees it, and the route. The first request
 * for a service waits for the bus; while the bus has not answered, nothing is decided: 503, never a guess.
 */
export class ResolveFilter implements Filter {
  readonly name = "resolve";
  readonly #options: ResolveOptions;
  readonly #named = new Map<string, NamedHost>();

  constructor(options: ResolveOptions) {
    this.#options = options;
  }

  onRequest(exchange: Exchange): "continue" | "wait" {
    const { service, port } = this.#nameOf(exchange.head.authority);
    if (service === undefined) return this.#outside(exchange);
    const lookup = this.#options.directory.lookup(service.namespace, service.service);
    if (lookup instanceof Promise) {
      void lookup.then((late) => {
        if (exchange.open && this.#decide(exchange, late, port) === "continue") exchange.resume();
      });
      return "wait";
    }
    return this.#decide(exchange, lookup, port);
  }

  #nameOf(authority: string): NamedHost {
    const known = this.#named.get(authority);
    if (known !== undefined) return known;
    const { host, port } = splitAuthority(authority);
    const named: NamedHost = { service: resolveHost(host, this.#options.namespace), port };
    if (this.#named.size >= MAX_NAMED_HOSTS) this.#named.clear();
    this.#named.set(authority, named);
    return named;
  }

  #decide(exchange: Exchange, lookup: Lookup, port: number | undefined): "continue" | "wait" {
    switch (lookup.state) {
      case "present":
        return routeTo(exchange, lookup.snapshot, port) ? "continue" : "wait";
      case "absent":
        return this.#outside(exchange);
      case "unavailable":
        exchange.reply(503, "service_not_known_yet", "NC", "the mesh's configuration is not available");
        return "wait";
    }
  }

  #outside(exchange: Exchange): "continue" | "wait" {
    if (this.#options.policy === "ALLOW_ANY") {
      exchange.record.route = "passthrough";
      return "continue";
    }
    exchange.reply(502, "host_not_registered", "NR", "host is not in the registry");
    return "wait";
  }
}
