import type { FastifyInstance } from "fastify";
import { fastify } from "fastify";
import type { Registry } from "prom-client";
import type { TableFollower } from "../../../shared/bus/index.ts";
import type { IdentityMaterial } from "../identity/material.ts";
import type { Directory } from "../mesh/directory.ts";

export interface AdminOptions {
  readonly registry: Registry;
  readonly directory: Directory;
  readonly followers: readonly TableFollower[];
  readonly about: Readonly<Record<string, unknown>>;
  isReady(): boolean;
  certificate(): IdentityMaterial | undefined;
  /** Begins to drain, then ends the process. */
  quit(): void;
}

function base(): FastifyInstance {
  return fastify({ logger: false, forceCloseConnections: true, bodyLimit: 64 * 1024 });
}

/** The admin API, on loopback only. Paths are Envoy's; what changes something is POST; keys never leave. */
export function buildAdmin(options: AdminOptions): FastifyInstance {
  const server = base();
  server.get("/ready", async (_request, reply) =>
    reply.code(options.isReady() ? 200 : 503).send(options.isReady() ? "LIVE\n" : "PRE_INITIALIZING\n"),
  );
  server.get("/server_info", async () => options.about);
  server.get("/certs", async () => {
    const material = options.certificate();
    if (material === undefined) return { certificates: [] };
    const daysLeft = (material.notAfterMs - Date.now()) / 86_400_000;
    return {
      certificates: [
        {
          spiffe_id: material.spiffeId,
          expiration_time: new Date(material.notAfterMs).toISOString(),
          days_until_expiration: Math.max(0, daysLeft),
        },
      ],
    };
  });
  server.get("/clusters", async () =>
    [...options.directory.clusters()].map((cluster) => ({
      name: cluster.name,
      load_balancing: cluster.policy,
      hosts: cluster.hosts.map((host) => ({
        instance: host.peer.instance,
        address: host.peer.ip,
        ports: Object.fromEntries([...host.ports].map(([number, { port }]) => [number, port])),
        labels: host.peer.labels,
        healthy: host.healthy,
        active_requests: host.activeRequests,
        connections: host.connections,
      })),
    })),
  );
  server.get("/config_dump", async () => ({
    services: [...options.directory.entries].map((entry) => ({
      service: `${entry.name}.${entry.namespace}`,
      state: entry.follow.state,
      applied: entry.follow.applied,
      config: entry.snapshot?.config ?? null,
    })),
    tables: options.followers.flatMap((follower) =>
      [...follower.followed].map(({ key, state, epoch, sequence, applied }) => ({
        table: follower.table,
        key,
        state,
        epoch,
        sequence,
        applied,
      })),
    ),
  }));
  addMetrics(server, options.registry);
  server.post("/quitquitquit", async () => {
    options.quit();
    return "OK\n";
  });
  return server;
}

/** /healthz/ready for whoever starts the workload. */
export function buildHealth(isReady: () => boolean): FastifyInstance {
  const server = base();
  server.get("/healthz/ready", async (_request, reply) =>
    reply.code(isReady() ? 200 : 503).send(isReady() ? "ready\n" : "not ready\n"),
  );
  return server;
}

/** /stats/prometheus for whoever scrapes. */
export function buildMetrics(registry: Registry): FastifyInstance {
  const server = base();
  addMetrics(server, registry);
  return server;
}

function addMetrics(server: FastifyInstance, registry: Registry): void {
  server.get("/stats/prometheus", async (_request, reply) =>
    reply.type("text/plain; version=0.0.4; charset=utf-8").send(await registry.metrics()),
  );
}
