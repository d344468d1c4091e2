import type { Exchange } from "../filter/exchange.ts";
import type { ForwardPlan } from "../filter/router.ts";
import { pathOf, type ServiceRoute } from "../route/service-route.ts";

/** What a header may raise a limit to. */
const MAX_HEADER_TIMEOUT_MS = 3_600_000;
const MAX_HEADER_RETRIES = 10;

/** Carries out the chosen route: redirects at once, or rewrites and says where to forward. */
export function forwardByRoute(exchange: Exchange, route: ServiceRoute): ForwardPlan | undefined {
  const { config } = route;
  if (config.redirect !== null && config.redirect !== undefined) {
    const { head } = exchange;
    const authority = config.redirect.authority || head.authority;
    const path = config.redirect.uri || head.path;
    exchange.reply(302, "direct_response", "", "", { location: `${head.scheme}://${authority}${path}` });
    return undefined;
  }
  const cluster = route.clusters.next();
  if (cluster === undefined) {
    exchange.reply(503, "cluster_not_found", "NC", "the route has no destination");
    return undefined;
  }
  const { timeout, retry } = config;
  const timeoutMs = fromHeader(exchange, timeout?.overrideHeader, timeout?.timeoutMs ?? 0, MAX_HEADER_TIMEOUT_MS);
  const attempts = fromHeader(exchange, retry?.overrideHeader, retry?.attempts ?? 0, MAX_HEADER_RETRIES);
  rewrite(exchange, route);
  for (const { name, value } of config.appendHeaders) exchange.head.headers.add(name, name.toLowerCase(), value);
  return {
    cluster,
    servicePort: exchange.servicePort,
    timeoutMs,
    attempts,
    perTryTimeoutMs: retry?.perTryTimeoutMs ?? 0,
    onHost: (host) => {
      exchange.record.destination = host.peer;
      exchange.record.mutualTls = host.peer.principal !== "";
    },
  };
}

function fromHeader(exchange: Exchange, header: string | undefined, fallback: number, max: number): number {
  if (header === undefined || header === "") return fallback;
  const given = exchange.head.headers.get(header.toLowerCase());
  return given !== undefined && /^\d{1,7}$/.test(given) ? Math.min(Number(given), max) : fallback;
}

function rewrite(exchange: Exchange, route: ServiceRoute): void {
  const { head } = exchange;
  const { rewrite: to } = route.config;
  if (to === null || to === undefined) return;
  if (to.authority !== "") head.authority = to.authority;
  if (to.uri === "") return;
  const matched = route.matchedPrefix ?? pathOf(head);
  head.path = to.uri + head.path.slice(matched.length);
}
