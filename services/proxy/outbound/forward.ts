import type { Host } from "../cluster/host.ts";
import type { Exchange } from "../filter/exchange.ts";
import { sendMirrors } from "../filter/mirror.ts";
import { retryAsAsked } from "../filter/retry-policy.ts";
import { MAX_HEADER_RETRIES, MAX_HEADER_TIMEOUT_MS } from "../filter/route-overrides.ts";
import type { ForwardPlan } from "../filter/router.ts";
import { applyHeaderEdits } from "../route/header-edits.ts";
import type { LocalAnswer } from "../route/local-answer.ts";
import type { ServiceRoute } from "../route/service-route.ts";

const ATTEMPT_COUNT = "x-envoy-attempt-count";

/** Carries out the chosen route: answers at once, or changes the request and says where to forward it. */
export function forwardByRoute(exchange: Exchange, route: ServiceRoute): ForwardPlan | undefined {
  if (route.answerEdits !== undefined && route.answer !== undefined) exchange.editResponse(route.answerEdits);
  if (route.answer !== undefined) {
    answerHere(exchange, route.answer);
    return undefined;
  }
  const target = route.targets.next();
  if (target === undefined) {
    exchange.reply(503, "cluster_not_found", "NC", "the route has no destination");
    return undefined;
  }
  const { timeout, retry } = route.config;
  const { overrides } = exchange;
  const timeoutMs =
    overrides?.timeoutMs ??
    fromHeader(exchange, timeout?.overrideHeader, timeout?.timeoutMs ?? 0, MAX_HEADER_TIMEOUT_MS);
  // Who names conditions means at least one retry, as with Envoy.
  const ruled = retry?.attempts ?? (overrides?.retryOn === undefined ? 0 : 1);
  const attempts = overrides?.maxRetries ?? fromHeader(exchange, retry?.overrideHeader, ruled, MAX_HEADER_RETRIES);
  const hash = route.hashKey?.(exchange);
  if (target.requestEdits !== undefined) applyHeaderEdits(exchange.head.headers, target.requestEdits);
  if (target.responseEdits !== undefined) exchange.editResponse(target.responseEdits);
  target.rewrite?.(exchange.head);
  if (exchange.head.upgrade !== undefined && !route.config.websocketUpgrade) exchange.head.upgrade = undefined;
  if (target.port !== 0) exchange.servicePort = target.port;
  if (route.mirrors !== undefined) sendMirrors(exchange, route.mirrors, timeoutMs);
  return {
    cluster: target.cluster.forPort(exchange.servicePort),
    servicePort: exchange.servicePort,
    timeoutMs,
    attempts,
    retry: overrides?.retryOn === undefined ? route.retry : retryAsAsked(overrides.retryOn, retry),
    perTryTimeoutMs: retry?.perTryTimeoutMs ?? 0,
    hash,
    onHost: tellAttempt,
  };
}

/** The record learns where the request goes, and the application how often it has been sent. */
function tellAttempt(exchange: Exchange, { peer }: Host): void {
  exchange.record.destination = peer;
  exchange.record.mutualTls = peer.principal !== "";
  countAttempt(exchange);
}

/** The application learns how often the request has been sent. */
export function countAttempt({ record, head }: Exchange): void {
  head.headers.set(ATTEMPT_COUNT, ATTEMPT_COUNT, String(record.attempts));
}

function answerHere(exchange: Exchange, { status, body, location }: LocalAnswer): void {
  const extra = location === undefined ? undefined : { location: location(exchange.head, exchange.servicePort) };
  exchange.reply(status, "direct_response", "", body, extra);
}

function fromHeader(exchange: Exchange, header: string | undefined, fallback: number, max: number): number {
  if (header === undefined || header === "") return fallback;
  const given = exchange.head.headers.get(header.toLowerCase());
  return given !== undefined && /^\d{1,7}$/.test(given) ? Math.min(Number(given), max) : fallback;
}
