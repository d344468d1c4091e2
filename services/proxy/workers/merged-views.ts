import type { RouteConfigView } from "../plane/route-views.ts";
import type { ClusterView, HostView, ListenerView, ServiceView } from "../plane/views.ts";

/** The clusters of several workers as one proxy's: load and limits are added up, and a host is as bad as any of them finds it. */
export function mergedClusters(workers: readonly (readonly ClusterView[])[]): ClusterView[] {
  return mergedBy(
    workers.flat(),
    (cluster) => cluster.name,
    (one, other) => ({
      ...one,
      circuit_breakers: addedUp(one.circuit_breakers, other.circuit_breakers),
      host_statuses: mergedBy([...one.host_statuses, ...other.host_statuses], hostKey, mergedHost),
    }),
  );
}

export function mergedListeners(workers: readonly (readonly ListenerView[])[]): ListenerView[] {
  return mergedBy(
    workers.flat(),
    (listener) => listener.name,
    (one, other) => ({ ...one, connections: one.connections + other.connections }),
  );
}

/** Each service as one of those show it that have its configuration: the others may not have been asked for it. */
export function mergedServices(workers: readonly (readonly ServiceView[])[]): ServiceView[] {
  return mergedBy(
    workers.flat(),
    (service) => service.service,
    (one, other) => (one.config === null ? other : one),
  );
}

/** Each service as the first shows it that has its newest configuration. */
export function mergedRoutes(workers: readonly (readonly RouteConfigView[])[]): RouteConfigView[] {
  return mergedBy(
    workers.flat(),
    (routes) => routes.name,
    (one, other) => (other.revision > one.revision ? other : one),
  );
}

type Numbers = ClusterView["circuit_breakers"];

function addedUp(one: Numbers, other: Numbers): Numbers {
  return Object.fromEntries(Object.entries(one).map(([name, value]) => [name, value + (other[name] ?? 0)]));
}

function hostKey({ instance, address, ports }: HostView): string {
  return JSON.stringify([instance, address, ports]);
}

function mergedHost(one: HostView, other: HostView): HostView {
  return {
    ...one,
    healthy: one.healthy && other.healthy,
    health_flags: [...new Set([...one.health_flags, ...other.health_flags])],
    active_requests: one.active_requests + other.active_requests,
    connections: one.connections + other.connections,
  };
}

function mergedBy<T>(items: readonly T[], keyOf: (item: T) => string, merge: (one: T, other: T) => T): T[] {
  const merged = new Map<string, T>();
  for (const item of items) {
    const known = merged.get(keyOf(item));
    merged.set(keyOf(item), known === undefined ? item : merge(known, item));
  }
  return [...merged.values()];
}
