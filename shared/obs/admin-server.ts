import { type FastifyInstance, fastify } from "fastify";
import type { Registry } from "prom-client";

export interface AdminServerOptions {
  readonly registries: readonly Registry[];
  /** Whether traffic or requests may be sent to this process. */
  isReady(): boolean;
}

/** The HTTP surface that every component has: /metrics, /healthz (alive) and /readyz (ready). */
export function buildAdminServer(options: AdminServerOptions): FastifyInstance {
  const server = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 64 * 1024 });
  server.get("/healthz", async () => "ok\n");
  server.get("/readyz", async (_request, reply) => {
    if (options.isReady()) return "ready\n";
    return reply.code(503).send("not ready\n");
  });
  server.get("/metrics", async (_request, reply) => {
    const pages = await Promise.all(options.registries.map((registry) => registry.metrics()));
    return reply.type("text/plain; version=0.0.4; charset=utf-8").send(pages.join("\n"));
  });
  return server;
}

/** Listens and returns the bound port. */
export async function listenOn(server: FastifyInstance, host: string, port: number): Promise<number> {
  await server.listen({ host, port });
  const address = server.server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
