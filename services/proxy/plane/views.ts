import type { AppliedState, FollowState } from "../../../shared/bus/index.ts";
import type { ServiceConfig } from "../../../shared/wire/index.ts";
import type { ClusterLimits } from "../cluster/circuit-breaker.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Host } from "../cluster/host.ts";
import type { BoundListener } from "../listeners.ts";
import type { ServiceEntry } from "../mesh/service-entry.ts";

/* What there is to see of the data plane, as plain data: a worker process shows it to another. Field names are Envoy's. */

export interface ClusterView {
  readonly name: string;
  /** The resource that it has its policy from; empty: none, so the defaults hold. */
  readonly policy: string;
  readonly load_balancing: string;
  /** Only those that are set. */
  readonly circuit_breakers: Readonly<Record<string, number>>;
  readonly host_statuses: readonly HostView[];
}

export interface HostView {
  readonly instance: string;
  readonly address: string;
  /** Service port to the port to connect to. */
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: string;
  /** How connections are secured. */
  readonly transport: "mutual_tls" | "tls" | "plaintext";
  readonly weight: number;
  readonly healthy: boolean;
  /** Why it gets no requests. */
  readonly health_flags: readonly string[];
  readonly active_requests: number;
  readonly connections: number;
}

export function clusterView(cluster: Cluster): ClusterView {
  return {
    name: cluster.name,
    policy: cluster.policy.rule,
    load_balancing: cluster.policy.loadBalancing,
    circuit_breakers: limitsView(cluster.policy.limits),
    host_statuses: cluster.hosts.map((host) => ({
      instance: host.peer.instance,
      address: host.peer.ip,
      ports: Object.fromEntries([...host.ports].map(([number, { port }]) => [number, port])),
      labels: host.peer.labels,
      locality: host.locality,
      transport: transportOf(host),
      weight: host.weight,
      healthy: host.available,
      health_flags: [
        ...(host.healthy ? [] : ["failed_registry_health"]),
        ...(host.checkFailed ? ["failed_active_hc"] : []),
        ...(host.ejected ? ["failed_outlier_check"] : []),
      ],
      active_requests: host.activeRequests,
      connections: host.connections,
    })),
  };
}

function limitsView({ maxConnections, maxPending, maxRequests, maxRetries }: ClusterLimits): Record<string, number> {
  const limits = {
    max_connections: maxConnections,
    max_pending_requests: maxPending,
    max_requests: maxRequests,
    max_retries: maxRetries ?? Number.POSITIVE_INFINITY,
  };
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== Number.POSITIVE_INFINITY));
}

function transportOf({ ports }: Host): HostView["transport"] {
  const [first] = ports.values();
  if (first?.plaintext !== true) return "mutual_tls";
  return first.tls === undefined ? "plaintext" : "tls";
}

export interface ListenerView {
  readonly name: string;
  readonly local_address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
  readonly connections: number;
}

export function listenerView({ name, address, port, listener }: BoundListener): ListenerView {
  return {
    name,
    local_address: { socket_address: { address, port_value: port } },
    connections: listener.connections,
  };
}

export interface ServiceView {
  readonly service: string;
  readonly state: FollowState;
  readonly applied: AppliedState;
  readonly config: ServiceConfig | null;
}

export function serviceView({ name, namespace, follow, snapshot }: ServiceEntry): ServiceView {
  return {
    service: `${name}.${namespace}`,
    state: follow.state,
    applied: follow.applied,
    config: snapshot?.config ?? null,
  };
}
