import type { ClusterView, HostView } from "../plane/views.ts";

/** An instance on one port, as one cluster has it. */
export interface EndpointView extends Omit<HostView, "ports" | "address" | "healthy"> {
  readonly cluster: string;
  /** Where connections go. */
  readonly address: string;
  readonly port: number;
  readonly service_port: number;
  readonly health: "HEALTHY" | "UNHEALTHY";
}

/** Clusters as rows, one an address: what lists of endpoints are made of. */
export function endpointsView(clusters: readonly ClusterView[]): EndpointView[] {
  return clusters.flatMap(({ name, host_statuses }) =>
    host_statuses.flatMap(({ ports, healthy, ...host }) =>
      Object.entries(ports).map(([servicePort, port]) => ({
        cluster: name,
        ...host,
        port,
        service_port: Number(servicePort),
        health: healthy ? ("HEALTHY" as const) : ("UNHEALTHY" as const),
      })),
    ),
  );
}
