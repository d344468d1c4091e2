/** A resource that waited is in force now, and where that shows. */
export interface Activated {
  /** `<kind>/<namespace>/<name>`. */
  readonly rule: string;
  readonly revision: number;
  readonly affected: Affected;
}

/** Instances of a service that configuration names which came, went or changed. */
export interface ChangedInstances {
  /** Key in table `service`. */
  readonly service: string;
  readonly instances: readonly string[];
}

/** What has to be compiled again, as keys in tables `service`, `gateway`, `hosts` and `workload`. */
export interface Affected {
  readonly services: readonly string[];
  readonly gateways: readonly string[];
  readonly hosts: readonly string[];
  readonly workloads: readonly string[];
  /** Why the resource that was put waits; undefined when it is in force. */
  readonly pending?: string;
  /** Names of Gateway resources, `<namespace>/<name>`: what is bound to them has changed. */
  readonly boundGateways?: readonly string[];
  /** Keys in table `service` of hosts that only VirtualServices name: which do may have changed. */
  readonly ownHosts?: readonly string[];
  /** Resources that came into force by the change; what they affect is part of this too. */
  readonly activated?: readonly Activated[];
  readonly endpoints?: readonly ChangedInstances[];
}

export const NOTHING: Affected = { services: [], gateways: [], hosts: [], workloads: [] };

/** Fills in what is not affected. */
export function affected(parts: Partial<Affected>): Affected {
  return { ...NOTHING, ...parts };
}

/** All that any of them affects, each key once where several do; the first reason to wait stands. */
export function merged(...all: readonly Affected[]): Affected {
  const [only] = all;
  if (all.length === 1 && only !== undefined) return only;
  const union = (part: (item: Affected) => readonly string[]): readonly string[] => {
    const lists = all.map(part).filter((keys) => keys.length > 0);
    // A change may affect a key of every namespace and is put together of parts several times over.
    return lists.length > 1 ? [...new Set(lists.flat())] : (lists[0] ?? []);
  };
  const boundGateways = union((item) => item.boundGateways ?? []);
  const ownHosts = union((item) => item.ownHosts ?? []);
  const activated = all.flatMap((item) => item.activated ?? []);
  const endpoints = all.flatMap((item) => item.endpoints ?? []);
  const pending = all.find((item) => item.pending !== undefined)?.pending;
  return {
    services: union((item) => item.services),
    gateways: union((item) => item.gateways),
    hosts: union((item) => item.hosts),
    workloads: union((item) => item.workloads),
    ...(boundGateways.length > 0 && { boundGateways }),
    ...(ownHosts.length > 0 && { ownHosts }),
    ...(pending !== undefined && { pending }),
    ...(activated.length > 0 && { activated }),
    ...(endpoints.length > 0 && { endpoints }),
  };
}
