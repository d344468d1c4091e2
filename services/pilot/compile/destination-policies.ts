import { DESTINATION_POLICY, isKind, type ParsedResource } from "../../../shared/model/index.ts";
import type { TrafficPolicyInput } from "../../../shared/wire/index.ts";
import { type Affected, affected, NOTHING } from "./affected.ts";
import type { Concern } from "./concern.ts";
import { meantHosts, type ServiceCatalog } from "./services.ts";
import { StringIndex } from "./string-index.ts";
import { toPolicy } from "./translation.ts";

interface Entry {
  readonly hosts: readonly string[];
  readonly revision: number;
  readonly policy: TrafficPolicyInput;
}

/** DestinationPolicies of the older dialect, by the host of the service that they are about. */
export class DestinationPolicies implements Concern {
  readonly kinds = ["destinationpolicy"];
  readonly #services: ServiceCatalog;
  readonly #entries = new Map<string, Entry>();
  readonly #byHost = new StringIndex();

  constructor(services: ServiceCatalog) {
    this.#services = services;
  }

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    if (!isKind(resource, DESTINATION_POLICY)) return NOTHING;
    const before = this.#take(rule);
    const hosts = meantHosts(resource.parsed.destination);
    this.#entries.set(rule, { hosts, revision, policy: toPolicy(rule, resource.parsed) });
    for (const host of hosts) this.#byHost.add(host, rule);
    return this.#touching(before, hosts);
  }

  remove(rule: string): Affected {
    return this.#touching(this.#take(rule));
  }

  touchedBy(rule: string): Affected {
    return this.#touching(this.#entries.get(rule)?.hosts ?? []);
  }

  /** About the service of a host, in the order of their names. */
  policiesFor(host: string): readonly TrafficPolicyInput[] {
    return this.#of(host).map(({ policy }) => policy);
  }

  /** The newest of them; 0 when there are none. */
  revisionFor(host: string): number {
    return this.#of(host).reduce((newest, { revision }) => Math.max(newest, revision), 0);
  }

  #of(host: string): Entry[] {
    return [...this.#byHost.get(host)].sort().flatMap((rule) => this.#entries.get(rule) ?? []);
  }

  /** Returns the hosts that it was for. */
  #take(rule: string): readonly string[] {
    const hosts = this.#entries.get(rule)?.hosts ?? [];
    this.#entries.delete(rule);
    for (const host of hosts) this.#byHost.remove(host, rule);
    return hosts;
  }

  #touching(...hosts: readonly (readonly string[])[]): Affected {
    const keys = hosts.flat().flatMap((host) => this.#services.keysOf(host));
    return affected({ services: [...new Set(keys)] });
  }
}
