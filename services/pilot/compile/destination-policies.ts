import { DESTINATION_POLICY, isKind, type ParsedResource } from "../../../shared/model/index.ts";
import type { TrafficPolicyInput } from "../../../shared/wire/index.ts";
import { type Affected, affected, NOTHING } from "./affected.ts";
import type { Concern } from "./concern.ts";
import { serviceKeyOf, toPolicy } from "./translation.ts";

interface Entry {
  readonly destination: string;
  readonly revision: number;
  readonly policy: TrafficPolicyInput;
}

/** DestinationPolicies of the older dialect, by the service that they are about. */
export class DestinationPolicies implements Concern {
  readonly kinds = ["destinationpolicy"];
  readonly #entries = new Map<string, Entry>();
  readonly #byService = new Map<string, Map<string, Entry>>();

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    if (!isKind(resource, DESTINATION_POLICY)) return NOTHING;
    const before = this.#take(rule);
    const destination = serviceKeyOf(resource.parsed.destination);
    if (destination !== undefined) {
      const entry: Entry = { destination, revision, policy: toPolicy(rule, resource.parsed) };
      this.#entries.set(rule, entry);
      const entries = this.#byService.get(destination) ?? new Map<string, Entry>();
      entries.set(rule, entry);
      this.#byService.set(destination, entries);
    }
    return touching(before?.destination, destination);
  }

  remove(rule: string): Affected {
    return touching(this.#take(rule)?.destination);
  }

  touchedBy(rule: string): Affected {
    return touching(this.#entries.get(rule)?.destination);
  }

  /** In the order of their names. */
  policiesOf(service: string): TrafficPolicyInput[] {
    const entries = [...(this.#byService.get(service) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.map(([, { policy }]) => policy);
  }

  /** The newest of those about a service; 0 when there are none. */
  revisionOf(service: string): number {
    let newest = 0;
    for (const { revision } of this.#byService.get(service)?.values() ?? []) newest = Math.max(newest, revision);
    return newest;
  }

  #take(rule: string): Entry | undefined {
    const entry = this.#entries.get(rule);
    if (entry === undefined) return undefined;
    this.#entries.delete(rule);
    const entries = this.#byService.get(entry.destination);
    entries?.delete(rule);
    if (entries?.size === 0) this.#byService.delete(entry.destination);
    return entry;
  }
}

function touching(...services: readonly (string | undefined)[]): Affected {
  return affected({ services: [...new Set(services.filter((service) => service !== undefined))] });
}
