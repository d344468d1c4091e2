import { tableKey } from "../../../shared/wire/index.ts";
import { compareAge } from "./age.ts";
import { fits, HostPatterns, isWildcard } from "./host-patterns.ts";
import { placeOf, targetKey } from "./places.ts";
import type { ServiceHosts } from "./service-hosts.ts";
import { hostOfKey, type KnownService, meantHosts, type ServiceCatalog, type ServiceSource } from "./services.ts";
import { StringIndex } from "./string-index.ts";
import {
  boundGateways,
  delegatesOf,
  destinationsOf,
  isForMesh,
  ownKey,
  ownPlace,
  type VirtualService,
} from "./virtual-service.ts";
import { exportRank, isVisible } from "./visibility.ts";

/** A host that is a service because a VirtualService names it. */
export interface OwnHost {
  /** In table `service`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly host: string;
  /** Those that name it, the oldest first. */
  readonly namedBy: readonly VirtualService[];
}

type Listing = readonly [index: Pick<StringIndex, "add" | "remove">, key: string];

/** Spoken with a host that nobody but a VirtualService knows. */
const OWN_PORTS = [{ number: 80, protocol: "http" }] as const;

/**
 * The VirtualServices in force, by what they are asked for: the hosts whose requests they route, the hosts they send to, the gateways
 * they are bound to, what they delegate to.
 */
export class VirtualServiceIndex {
  readonly #services: ServiceCatalog;
  readonly #hosts: ServiceHosts;
  readonly #active = new Map<string, VirtualService>();
  /** Of the mesh, by the hosts whose requests they route. */
  readonly #byHost = new HostPatterns<string>();
  readonly #byTarget = new StringIndex();
  readonly #byGateway = new StringIndex();
  readonly #byDelegate = new StringIndex();
  readonly #byOwnKey = new StringIndex();
  /** Those of which only the compiled routes are known, by key in tables `service` and `gateway`. */
  readonly #frozenByService = new StringIndex();
  readonly #frozenByGateway = new StringIndex();
  /** Where each is listed. */
  readonly #listed = new Map<string, readonly Listing[]>();

  constructor(services: ServiceCatalog, hosts: ServiceHosts) {
    this.#services = services;
    this.#hosts = hosts;
  }

  get(rule: string): VirtualService | undefined {
    return this.#active.get(rule);
  }

  all(): Iterable<VirtualService> {
    return [...this.#active.values()];
  }

  set(active: VirtualService): void {
    this.delete(active.rule);
    this.#active.set(active.rule, active);
    const listings = [...this.#listings(active)];
    this.#listed.set(active.rule, listings);
    for (const [index, key] of listings) index.add(key, active.rule);
  }

  delete(rule: string): void {
    if (!this.#active.delete(rule)) return;
    for (const [index, key] of this.#listed.get(rule) ?? []) index.remove(key, rule);
    this.#listed.delete(rule);
  }

  /**
   * Those that may route the requests of sidecars to a service: first what goes on as it was compiled, so that a change of leader
   * changes nothing, then those for its host.
   */
  forService({ key, host }: Pick<KnownService, "key" | "host">): VirtualService[] {
    return [...this.#resolved(this.#frozenByService.get(key)), ...this.forHost(host)];
  }

  /** Those that go on as they were compiled at the gateway with this key, the oldest first. */
  frozenAt(gateway: string): VirtualService[] {
    return this.#resolved(this.#frozenByGateway.get(gateway));
  }

  /**
   * Those that may route the requests for a host from sidecars, in the order in which they are chosen from: the most specific
   * host, then the narrowest export, then the oldest. For one caller the first that it sees is in force.
   */
  forHost(host: string): VirtualService[] {
    const seen = new Set<string>();
    return this.#byHost.fitting(host).flatMap(([, rules]) => {
      const found = [...rules].filter((rule) => !seen.has(rule)).flatMap((rule) => this.#active.get(rule) ?? []);
      for (const { rule } of found) seen.add(rule);
      return found.sort(
        (a, b) => exportRank(a.exportTo, a.namespace) - exportRank(b.exportTo, b.namespace) || compareAge(a, b),
      );
    });
  }

  /** Bound to a Gateway (`<namespace>/<name>`), the oldest first. */
  boundTo(gateway: string): VirtualService[] {
    return this.#resolved(this.#byGateway.get(gateway));
  }

  /** Rules that send to a host, themselves or by what they delegate to; `host` may be a wildcard. */
  sendingTo(host: string): Set<string> {
    const rules = new Set<string>();
    for (const name of this.fittingNames(host, this.#byTarget.keys())) {
      for (const rule of this.#byTarget.get(name)) {
        rules.add(rule);
        for (const root of this.#byDelegate.get(rule)) rules.add(root);
      }
    }
    return rules;
  }

  /** Whether the rule itself sends to a subset of one of these hosts, wildcards among them. */
  names(rule: string, hosts: readonly string[], subset: string): boolean {
    const active = this.#active.get(rule);
    if (active === undefined) return false;
    const isAmong = (name: string) => hosts.some((host) => fits(host, name));
    if (active.frozen !== undefined) {
      return [...active.frozen.destinations()].some(
        (destination) => destination.subset === subset && isAmong(hostOfKey(targetKey(destination), this.#services)),
      );
    }
    return destinationsOf(active).some(
      (destination) => destination.subset === subset && meantHosts(destination.host).some(isAmong),
    );
  }

  /** Of these names the one that is this host, or those that a wildcard stands for. */
  fittingNames(host: string, names: Iterable<string>): string[] {
    return isWildcard(host) ? [host, ...[...names].filter((name) => name !== host && fits(host, name))] : [host];
  }

  delegatingTo(rule: string): Iterable<string> {
    return this.#byDelegate.get(rule);
  }

  /** Keys of the services whose requests from sidecars it may route. */
  servicesOf(active: VirtualService): readonly string[] {
    if (active.frozen !== undefined) return active.frozen.boundTo.services;
    if (!isForMesh(active)) return [];
    const keys = new Set<string>();
    for (const ref of active.spec.hosts) {
      if (isWildcard(ref.host)) for (const key of this.#openTo(ref.host)) keys.add(key);
      for (const host of meantHosts(ref)) for (const key of this.#services.keysOf(host)) keys.add(key);
      const own = ownKey(ref, active.namespace);
      if (own !== undefined) keys.add(own);
    }
    return [...keys];
  }

  /** Names of the Gateways that it is bound to. */
  gatewaysOf(active: VirtualService): readonly string[] {
    return active.frozen === undefined ? boundGateways(active) : [];
  }

  /** Keys of the services that exist because it names their hosts, whether anybody else knows them or not. */
  ownHostsOf(active: VirtualService): readonly string[] {
    if (active.frozen !== undefined) return active.frozen.boundTo.services;
    if (!isForMesh(active)) return [];
    return active.spec.hosts.flatMap((host) => ownKey(host, active.namespace) ?? []);
  }

  /** Undefined when no VirtualService names it. */
  ownHost(key: string): OwnHost | undefined {
    const namedBy = this.#resolved(this.#byOwnKey.get(key));
    for (const { namespace, spec, frozen } of namedBy) {
      if (frozen !== undefined) {
        const { namespace: of, service: name } = placeOf(key);
        return { key, namespace: of, name, host: frozen.hostOf(key) ?? name, namedBy };
      }
      for (const ref of spec.hosts) {
        const place = ownPlace(ref, namespace);
        if (place !== undefined && tableKey(place.namespace, place.name) === key)
          return { key, ...place, host: ref.host, namedBy };
      }
    }
    return undefined;
  }

  /** Hosts of VirtualServices as a source of services: without endpoints, and never what a rule sends to. */
  get source(): ServiceSource {
    const service = (key: string): KnownService | undefined => {
      const own = this.ownHost(key);
      if (own === undefined) return undefined;
      const { namespace, name, host } = own;
      return { key, namespace, name, host, ports: OWN_PORTS, principals: [], bodiless: true };
    };
    const keys = () => this.#byOwnKey.keys();
    return {
      has: (key) => this.#byOwnKey.has(key),
      service,
      carries: () => false,
      *services() {
        for (const key of keys()) {
          const found = service(key);
          if (found !== undefined) yield found;
        }
      },
      byHost: () => undefined,
      keysOf: () => [],
    };
  }

  /** Services that a wildcard stands for and for which no VirtualService that everybody sees names the host itself. */
  *#openTo(pattern: string): Generator<string> {
    for (const key of this.#hosts.fitting(pattern)) {
      const host = hostOfKey(key, this.#services);
      const [first] = this.forHost(host);
      const isClosed =
        first !== undefined &&
        isVisible(first.exportTo, undefined) &&
        first.spec.hosts.some((ref) => meantHosts(ref).includes(host));
      if (!isClosed) yield key;
    }
  }

  #resolved(rules: Iterable<string>): VirtualService[] {
    return [...rules].flatMap((rule) => this.#active.get(rule) ?? []).sort(compareAge);
  }

  *#listings(active: VirtualService): Generator<Listing> {
    for (const key of this.ownHostsOf(active)) yield [this.#byOwnKey, key];
    if (active.frozen !== undefined) {
      const { services, gateways } = active.frozen.boundTo;
      for (const key of services) yield [this.#frozenByService, key];
      for (const key of gateways) yield [this.#frozenByGateway, key];
      for (const destination of active.frozen.destinations())
        yield [this.#byTarget, hostOfKey(targetKey(destination), this.#services)];
      return;
    }
    if (isForMesh(active))
      for (const ref of active.spec.hosts) for (const host of meantHosts(ref)) yield [this.#byHost, host];
    for (const { host } of destinationsOf(active)) for (const name of meantHosts(host)) yield [this.#byTarget, name];
    for (const gateway of boundGateways(active)) yield [this.#byGateway, gateway];
    for (const delegate of delegatesOf(active)) yield [this.#byDelegate, delegate];
  }
}
