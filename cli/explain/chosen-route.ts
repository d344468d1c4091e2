import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { applyHeaderEdits } from "../../services/proxy/route/header-edits.ts";
import { compileRoute, type RouteTarget, type ServiceRoute } from "../../services/proxy/route/service-route.ts";
import type { RequestHead } from "../../services/proxy/stream/stream.ts";
import { systemClock } from "../../shared/base/index.ts";
import type { Destination, HashPolicy, HeaderOperations, HeaderValue, Route } from "../../shared/wire/index.ts";
import type { HeaderEditsExplained, LocalAnswerExplained, RouteExplained } from "./explanation.ts";

/** One weighted destination or mirror of the chosen route, as the proxy compiles it. */
export interface ChosenTarget {
  readonly destination: Destination;
  /** 0: the port that was called. */
  readonly port: number;
  /** Share of the requests, 0 to 100. */
  readonly percent: number;
}

/** The chosen route, compiled by the proxy's own code, so that what it does to the request is what is told. */
export class ChosenRoute {
  readonly #config: Route;
  readonly #head: RequestHead;
  readonly #route: ServiceRoute;
  readonly #destinations = new Map<Cluster, Destination>();

  constructor(config: Route, head: RequestHead) {
    this.#config = config;
    this.#head = head;
    this.#route = compileRoute(config, (destination) => this.#clusterOf(destination), 0);
  }

  get targets(): ChosenTarget[] {
    const { values } = this.#route.targets;
    const total = values.reduce((sum, { weight }) => sum + weight, 0);
    return values.map(({ value, weight }) => this.#target(value.cluster, value.port, (weight / total) * 100));
  }

  get mirrors(): ChosenTarget[] {
    return (this.#route.mirrors ?? []).map(({ cluster, port, percent }) => this.#target(cluster, port, percent));
  }

  /** What the route answers itself to a request to `port`; undefined when it forwards. */
  answerAt(port: number): LocalAnswerExplained | undefined {
    const { answer } = this.#route;
    if (answer === undefined) return undefined;
    const { status, body, location } = answer;
    const isRedirect = location !== undefined;
    return {
      status,
      detail: "direct_response",
      flag: "",
      reason: isRedirect ? "the route redirects" : "the route answers itself",
      ...(isRedirect ? { location: location(this.#head, port) } : { body }),
    };
  }

  get explained(): RouteExplained {
    const { timeout, retry, fault, cors, rateLimit, requestHeaders, responseHeaders, appendHeaders } = this.#config;
    const { hashPolicies } = this.#config;
    const rewrite = this.#rewritten();
    const edits = editsOf(requestHeaders, appendHeaders);
    const responseEdits = editsOf(responseHeaders);
    return {
      name: this.#config.name,
      revision: this.#config.revision,
      timeoutMs: timeout?.timeoutMs ?? 0,
      ...(retry && {
        retries: {
          attempts: retry.attempts,
          perTryTimeoutMs: retry.perTryTimeoutMs,
          retryOn: retry.retryOn.length > 0 ? retry.retryOn : ["5xx", "connect-failure", "refused-stream"],
        },
      }),
      ...(fault && { fault: faultOf(fault) }),
      ...(rewrite && { rewrite }),
      ...(edits && { requestHeaders: edits }),
      ...(responseEdits && { responseHeaders: responseEdits }),
      ...(cors && {
        cors: {
          allowOrigins: [
            ...cors.allowOrigin,
            ...cors.allowOrigins.map(({ exact, prefix, regex }) => exact ?? (prefix ? `${prefix}*` : `~${regex}`)),
          ],
          allowMethods: cors.allowMethods,
        },
      }),
      ...(rateLimit && {
        rateLimit: {
          maxTokens: rateLimit.maxTokens,
          tokensPerFill: rateLimit.tokensPerFill,
          fillIntervalMs: rateLimit.fillIntervalMs,
        },
      }),
      ...(hashPolicies.length > 0 && { hash: hashPolicies.map(hashText) }),
      websocket: this.#config.websocketUpgrade,
    };
  }

  /** The request as the first destination gets it: rewritten, and with its headers changed. */
  get sent(): RequestHead {
    const head = { ...this.#head, headers: this.#head.headers.clone() };
    const target = this.#route.targets.values[0]?.value;
    if (target?.requestEdits !== undefined) applyHeaderEdits(head.headers, target.requestEdits);
    target?.rewrite?.(head);
    return head;
  }

  /** Path and host as the first destination gets them; undefined when they are the caller's. */
  #rewritten(): { path: string; authority: string } | undefined {
    if (this.#route.targets.values[0]?.value.rewrite === undefined) return undefined;
    const { path, authority } = this.sent;
    return { path, authority };
  }

  #target(cluster: RouteTarget["cluster"], port: number, percent: number): ChosenTarget {
    const destination = this.#destinations.get(cluster);
    if (destination === undefined) throw new Error("a route leads to a cluster that it does not name");
    return { destination, port, percent };
  }

  /** Stands for the destination; no request ever goes through it. */
  #clusterOf(destination: Destination | null | undefined): Cluster {
    const cluster = new Cluster("", { clock: systemClock });
    if (destination !== null && destination !== undefined) this.#destinations.set(cluster, destination);
    return cluster;
  }
}

function hashText({ header, cookie, queryParameter }: HashPolicy): string {
  if (header) return `header ${header}`;
  if (cookie) return `cookie ${cookie.name}`;
  return queryParameter ? `query parameter ${queryParameter}` : "the address of the caller";
}

function faultOf({ delay, abort }: NonNullable<Route["fault"]>): NonNullable<RouteExplained["fault"]> {
  return {
    ...(delay && {
      delay:
        delay.exponentialDelayMs > 0
          ? { percent: delay.percent, ms: delay.exponentialDelayMs, kind: "exponential" as const }
          : { percent: delay.percent, ms: delay.fixedDelayMs, kind: "fixed" as const },
    }),
    ...(abort && {
      abort: { percent: abort.percent, httpStatus: abort.httpStatus, grpcStatus: abort.grpcStatus },
    }),
  };
}

function editsOf(
  operations: HeaderOperations | null | undefined,
  appended: readonly HeaderValue[] = [],
): HeaderEditsExplained | undefined {
  const { remove = [], set = [], add = [] } = operations ?? {};
  if (remove.length + set.length + add.length + appended.length === 0) return undefined;
  return {
    remove,
    set: Object.fromEntries(set.map(({ name, value }) => [name, value])),
    add: [...add, ...appended].map(({ name, value }) => ({ name, value })),
  };
}
