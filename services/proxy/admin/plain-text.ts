import type { ClusterView, ListenerView } from "../plane/views.ts";

/* Views as lines, as Envoy's admin API writes them: `name::host::what::value`. */

export function clustersText(view: unknown): string {
  const { cluster_statuses: clusters } = view as { cluster_statuses: readonly ClusterView[] };
  return clusters.map(clusterLines).join("");
}

function clusterLines({ name, policy, load_balancing, circuit_breakers, host_statuses }: ClusterView): string {
  const hosts = host_statuses.flatMap((host) => {
    const facts: Record<string, string | number> = {
      cx_active: host.connections,
      rq_active: host.active_requests,
      hostname: host.instance,
      health_flags: host.health_flags.length === 0 ? "healthy" : host.health_flags.map((flag) => `/${flag}`).join(""),
      weight: host.weight,
      locality: host.locality,
    };
    const [port = 0] = Object.values(host.ports);
    return Object.entries(facts).map(([what, value]) => `${name}::${host.address}:${port}::${what}::${value}\n`);
  });
  const own = Object.entries({ policy: policy || "none", load_balancing, ...circuit_breakers });
  return [...own.map(([what, value]) => `${name}::${what}::${value}\n`), ...hosts].join("");
}

export function listenersText(view: unknown): string {
  const { listener_statuses: listeners } = view as { listener_statuses: readonly ListenerView[] };
  return listeners
    .map(({ name, local_address: { socket_address: at } }) => `${name}::${at.address}:${at.port_value}\n`)
    .join("");
}

export function statsText(view: unknown): string {
  const { stats } = view as { stats: Readonly<Record<string, number>> };
  return Object.entries(stats)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
}
