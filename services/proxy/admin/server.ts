import type { FastifyInstance, FastifyReply } from "fastify";
import { fastify } from "fastify";
import { RE2JS } from "re2js";
import type { AdminActions } from "./actions.ts";
import { clustersText, listenersText, statsText } from "./plain-text.ts";
import type { StatsPage } from "./stats-page.ts";
import type { ViewName, Views } from "./views.ts";

type Query = Readonly<Record<string, string | undefined>>;

const HELP: Readonly<Record<string, string>> = {
  "GET /": "this list",
  "GET /certs": "certificates and roots in force",
  "GET /clusters": "instances, health and load (?format=json)",
  "GET /config_dump": "settings, services and tables (?resource=bootstrap|services|mesh|tables)",
  "GET /endpoints": "every address of every cluster, with health",
  "GET /help": "this list",
  "GET /listeners": "listening sockets (?format=json)",
  "GET /mesh": "settings of the mesh in force here, and the scope",
  "GET /ready": "200 when the proxy takes requests, else 503",
  "GET /routes": "the routes that requests meet, by service",
  "GET /secrets": "certificates and roots, one a row",
  "GET /server_info": "version, state, node and workers",
  "GET /stats": "all metrics (?filter=regex&usedonly&format=json|prometheus)",
  "GET /stats/prometheus": "all metrics for Prometheus",
  "POST /drain_listeners": "takes no more connections (?graceful&inboundonly)",
  "POST /healthcheck/fail": "fails health checks",
  "POST /healthcheck/ok": "passes health checks again",
  "POST /logging": "shows or sets the log level (?level=debug)",
  "POST /quitquitquit": "drains and ends the process",
};

function base(): FastifyInstance {
  return fastify({ logger: false, forceCloseConnections: true, bodyLimit: 64 * 1024 });
}

/**
 * The admin API, on loopback only. Paths are Envoy's; whatever changes something is POST, so that no page in a browser
 * does it by a link; keys and passwords never leave.
 */
export function buildAdmin(views: Views, actions: AdminActions): FastifyInstance {
  const server = base();
  addViews(server, views);
  addActions(server, views, actions);
  for (const path of ["/", "/help"]) {
    server.get(path, (_request, reply) =>
      text(
        reply,
        `${Object.entries(HELP)
          .map((entry) => entry.join("  "))
          .join("\n")}\n`,
      ),
    );
  }
  return server;
}

function addViews(server: FastifyInstance, views: Views): void {
  server.get("/ready", (_request, reply) => text(reply.code(views.state === "LIVE" ? 200 : 503), `${views.state}\n`));
  server.get("/server_info", () => views.show("server_info"));
  for (const name of ["certs", "endpoints", "mesh", "routes", "secrets"] as const) {
    server.get(`/${name}`, () => views.show(name));
  }
  const asLines = (name: ViewName, render: (view: unknown) => string): void => {
    server.get<{ Querystring: Query }>(`/${name}`, async ({ query }, reply) => {
      const view = await views.show(name);
      return query["format"] === "json" ? view : text(reply, render(view));
    });
  };
  asLines("clusters", clustersText);
  asLines("listeners", listenersText);
  server.get<{ Querystring: Query }>("/config_dump", async ({ query }, reply) => {
    const dump = (await views.show("config_dump")) as Readonly<Record<string, unknown>>;
    const { resource } = query;
    if (resource === undefined) return dump;
    if (Object.hasOwn(dump, resource)) return { [resource]: dump[resource] };
    return text(reply.code(400), `no such resource: use one of ${Object.keys(dump).join(", ")}\n`);
  });
  server.get<{ Querystring: Query }>("/stats", async ({ query }, reply) => {
    if (query["format"] === "prometheus") return prometheus(reply, views.stats);
    const { stats } = (await views.show("stats")) as { stats: Record<string, number> };
    let pattern: RE2JS | undefined;
    try {
      pattern = query["filter"] === undefined ? undefined : RE2JS.compile(query["filter"]);
    } catch {
      return text(reply.code(400), "the filter is no regular expression\n");
    }
    const wanted = Object.entries(stats).filter(
      ([name, value]) => (pattern?.matcher(name).find() ?? true) && (query["usedonly"] === undefined || value !== 0),
    );
    const view = { stats: Object.fromEntries(wanted) };
    return query["format"] === "json" ? view : text(reply, statsText(view));
  });
  addPrometheus(server, views.stats);
}

function addActions(server: FastifyInstance, views: Views, actions: AdminActions): void {
  const post = (path: string, act: (query: Query, reply: FastifyReply) => unknown): void => {
    server.post<{ Querystring: Query }>(path, ({ query }, reply) => act(query, reply));
    server.get(path, (_request, reply) => text(reply.code(405).header("allow", "POST"), "use POST\n"));
  };
  const done = (reply: FastifyReply): FastifyReply => text(reply, "OK\n");
  post("/logging", async ({ level }, reply) => {
    if (level !== undefined && !actions.setLogLevel(level)) return text(reply.code(400), "no such level\n");
    return text(reply, `active loggers:\n  proxy: ${((await views.show("logging")) as { level: string }).level}\n`);
  });
  post("/healthcheck/fail", (_query, reply) => {
    actions.failHealthCheck(true);
    return done(reply);
  });
  post("/healthcheck/ok", (_query, reply) => {
    actions.failHealthCheck(false);
    return done(reply);
  });
  post("/drain_listeners", (query, reply) => {
    actions.drainListeners({
      graceful: query["graceful"] !== undefined,
      inboundOnly: query["inboundonly"] !== undefined,
    });
    return done(reply);
  });
  post("/quitquitquit", (_query, reply) => {
    actions.quit();
    return done(reply);
  });
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
export function buildMetrics(stats: StatsPage): FastifyInstance {
  const server = base();
  addPrometheus(server, stats);
  return server;
}

function addPrometheus(server: FastifyInstance, stats: StatsPage): void {
  server.get("/stats/prometheus", (_request, reply) => prometheus(reply, stats));
}

async function prometheus(reply: FastifyReply, stats: StatsPage): Promise<FastifyReply> {
  return reply.type("text/plain; version=0.0.4; charset=utf-8").send(await stats.prometheus());
}

function text(reply: FastifyReply, body: string): FastifyReply {
  return reply.type("text/plain; charset=utf-8").send(body);
}
