import { EGRESS_RULE, isKind, type ParsedResource } from "../../../shared/model/index.ts";
import { tableKey } from "../../../shared/wire/index.ts";
import { type Activated, type Affected, affected, merged, NOTHING } from "./affected.ts";
import type { Concern } from "./concern.ts";
import type { EntryService } from "./entry-service.ts";
import type { HostOffer, HostTables } from "./host-tables.ts";
import { type EntryChange, type EntryOutcome, keysOf, type ServiceEntries } from "./service-entries.ts";

/** ServiceEntries, WorkloadEntries and EgressRules: the services that they make, and under which hosts callers find them. */
export class Entries implements Concern {
  readonly kinds = ["serviceentry", "workloadentry", "egressrule"];
  readonly #services: ServiceEntries;
  readonly #hosts: HostTables;
  readonly #serviceChanged: (key: string, shape: boolean) => Affected;

  /** `serviceChanged`: what else a change of a service affects. */
  constructor(services: ServiceEntries, hosts: HostTables, serviceChanged: (key: string, shape: boolean) => Affected) {
    this.#services = services;
    this.#hosts = hosts;
    this.#serviceChanged = serviceChanged;
  }

  put(rule: string, _revision: number, resource: ParsedResource): Affected {
    // Also where nothing changed by it: a new leader may read it after a younger one.
    const result = merged(this.#affectedBy(this.#services.put(resource)), this.touchedBy(rule));
    const pending = this.#services.pendingReason(rule);
    return pending === undefined ? result : { ...result, pending };
  }

  remove(rule: string): Affected {
    return this.#affectedBy(this.#services.remove(rule));
  }

  touchedBy(rule: string): Affected {
    return affected({ services: this.#services.touchedBy(rule) });
  }

  /** Instances that registered in the namespace came, went or changed. */
  instancesChanged(namespace: string): Affected {
    return this.#changed(this.#services.instancesChanged(namespace));
  }

  /** What the mesh's configuration says of those that say nothing themselves. */
  setDefaultExportTo(exportTo: readonly string[]): Affected {
    return this.#changed(this.#services.setDefaultExportTo(exportTo));
  }

  /** Why a resource is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#services.pendingReason(rule);
  }

  /** Why a resource would wait if it was put now. */
  wouldWait(rule: string, resource: ParsedResource): string | undefined {
    return isKind(resource, EGRESS_RULE) ? this.#services.conflictOf(rule, resource.parsed) : undefined;
  }

  get pendingCount(): number {
    return this.#services.pendingCount;
  }

  #affectedBy({ changes, activated }: EntryOutcome): Affected {
    const result = this.#changed(changes);
    if (activated.length === 0) return result;
    const items = activated.map((source): Activated => {
      const { rule, revision } = source;
      return { rule, revision, affected: affected({ services: keysOf(source) }) };
    });
    return { ...result, activated: [...(result.activated ?? []), ...items] };
  }

  #changed(changes: readonly EntryChange[]): Affected {
    return merged(
      NOTHING,
      ...changes.map(({ service: key, shape, instances }) => {
        const service = this.#services.service(key);
        const hosts = shape ? this.#hosts.set(key, service === undefined ? [] : offersOf(service)) : [];
        const all = merged(
          affected({ hosts: hosts.map((namespace) => tableKey(namespace)) }),
          this.#serviceChanged(key, shape),
        );
        return { ...all, endpoints: [{ service: key, instances }] };
      }),
    );
  }
}

/** Its host, but for a cluster name, by which callers find the service anyway; and its addresses. */
function offersOf({ rule, created, namespace, name, host, addresses, exportTo }: EntryService): HostOffer[] {
  const patterns = [...(name === host ? [host] : []), ...addresses.map(authorityOf)];
  return patterns.map((pattern) => ({ rule, created, pattern, namespace, name, exportTo, isRouteOnly: false }));
}

/** An address as requests name it. */
function authorityOf(address: string): string {
  return address.includes(":") ? `[${address.toLowerCase()}]` : address;
}
