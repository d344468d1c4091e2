import type {
  DestinationSpec,
  HeaderOperationsSpec,
  HttpCorsSpec,
  HttpFaultSpec,
  HttpRedirectSpec,
  HttpRetrySpec,
  HttpRouteSpec,
} from "../../../shared/model/index.ts";
import type {
  CorsPolicyInput,
  DestinationInput,
  FaultInput,
  HeaderOperationsInput,
  RedirectInput,
  RetryInput,
  RouteInput,
} from "../../../shared/wire/index.ts";
import type { MatchBlock } from "./route-match.ts";
import { DEFAULT_TIMEOUT_MS } from "./translation.ts";

/** What a route's text leaves open. */
export interface RouteContext {
  /** The resource that it is in force as. */
  readonly rule: string;
  readonly revision: number;
  /** Whose text it is, when the resource delegates. */
  readonly delegate?: { readonly rule: string; readonly revision: number };
  /** Where a destination is, as the caller sees it. */
  readonly place: (destination: DestinationSpec) => DestinationInput;
  /** Of routes that say nothing about retries. */
  readonly defaultRetries: HttpRetrySpec | undefined;
}

/** What Istio tries again when a route does not say. */
const DEFAULT_RETRY_ON: readonly string[] = ["connect-failure", "refused-stream", "unavailable", "cancelled"];

/** One route of a VirtualService for one of its match blocks. */
export function toHttpRoute(spec: HttpRouteSpec, block: MatchBlock, context: RouteContext): RouteInput {
  const { rule, revision, delegate, place } = context;
  const { redirect, directResponse, rewrite, fault, cors } = spec;
  const retry = toRetry(spec.retries, context.defaultRetries);
  const name = [spec.name, block.name].filter((part) => part !== "").join(".");
  return {
    rule,
    revision,
    ...(name !== "" && { name }),
    ...(delegate && { delegate: delegate.rule, delegateRevision: delegate.revision }),
    ...(block.match && { match: block.match }),
    destinations: spec.destinations.map(({ destination, weight, headers }) => ({
      destination: place(destination),
      weight,
      port: destination.port,
      ...operations("requestHeaders", headers.request),
      ...operations("responseHeaders", headers.response),
    })),
    ...(redirect && { redirect: toRedirect(redirect) }),
    ...(directResponse && { directResponse: { status: directResponse.status, body: directResponse.body } }),
    ...(rewrite && {
      rewrite: {
        uri: rewrite.uri,
        authority: rewrite.authority,
        regex: rewrite.regex?.match ?? "",
        substitution: rewrite.regex?.rewrite ?? "",
      },
    }),
    timeout: { timeoutMs: spec.timeoutMs ?? DEFAULT_TIMEOUT_MS },
    ...(retry && { retry }),
    ...(fault && { fault: toFault(fault) }),
    ...(spec.mirrors.length > 0 && {
      mirrors: spec.mirrors.map(({ destination, percent }) => ({
        destination: place(destination),
        percent,
        port: destination.port,
      })),
    }),
    ...(cors && { cors: toCors(cors) }),
    // The newer dialect has no field for it: such requests always pass.
    websocketUpgrade: true,
    ...operations("requestHeaders", spec.headers.request),
    ...operations("responseHeaders", spec.headers.response),
  };
}

function toRedirect({ uri, authority, scheme, port, code, prefixRewrite }: HttpRedirectSpec): RedirectInput {
  const where = typeof port === "string" ? { derivePort: port } : { port: port ?? 0 };
  return { uri, authority, scheme, ...where, code, prefixRewrite };
}

function toRetry(given: HttpRetrySpec | undefined, byDefault: HttpRetrySpec | undefined): RetryInput | undefined {
  const spec = given ?? byDefault;
  if (spec === undefined || spec.attempts === 0) return undefined;
  const codes = spec.retriableStatusCodes;
  const isByDefault = spec.retryOn.length === 0 && codes.length === 0;
  const conditions = isByDefault ? (byDefault?.retryOn ?? []) : spec.retryOn;
  const retryOn = new Set(isByDefault && conditions.length === 0 ? DEFAULT_RETRY_ON : conditions);
  if (codes.length > 0) retryOn.add("retriable-status-codes");
  return {
    attempts: spec.attempts,
    perTryTimeoutMs: spec.perTryTimeoutMs,
    retryOn: [...retryOn],
    retriableStatusCodes: [...spec.retriableStatusCodes],
    backoffBaseMs: spec.backoffMs,
  };
}

function toFault({ delay, abort }: HttpFaultSpec): FaultInput {
  return {
    ...(delay && { delay: toDelay(delay) }),
    ...(abort && {
      abort: {
        percent: abort.percent,
        ...(abort.httpStatus !== 0 && { httpStatus: abort.httpStatus }),
        ...(abort.grpcStatus !== 0 && { grpcStatus: abort.grpcStatus }),
      },
    }),
  };
}

function toDelay({
  percent,
  fixedDelayMs,
  exponentialDelayMs,
}: NonNullable<HttpFaultSpec["delay"]>): NonNullable<FaultInput["delay"]> {
  return { percent, ...(exponentialDelayMs > 0 ? { exponentialDelayMs } : { fixedDelayMs }) };
}

function toCors(cors: HttpCorsSpec): CorsPolicyInput {
  return {
    allowOrigins: cors.allowOrigins.map((match) => ({ ...match })),
    allowMethods: [...cors.allowMethods],
    allowHeaders: [...cors.allowHeaders],
    exposeHeaders: [...cors.exposeHeaders],
    maxAgeMs: cors.maxAgeMs ?? 0,
    allowCredentials: cors.allowCredentials ?? false,
    ...(cors.ignoreUnmatchedPreflights && { ignoreUnmatchedPreflights: true }),
  };
}

function operations<K extends string>(field: K, spec: HeaderOperationsSpec): { [key in K]?: HeaderOperationsInput } {
  if (!changesAnything(spec)) return {};
  const { set, add, remove } = spec;
  const operations: HeaderOperationsInput = {
    set: set.map(({ name, value }) => ({ name, value })),
    add: add.map(({ name, value }) => ({ name, value })),
    remove: [...remove],
  };
  return { [field]: operations } as { [key in K]?: HeaderOperationsInput };
}

export function changesAnything({ set, add, remove }: HeaderOperationsSpec): boolean {
  return set.length > 0 || add.length > 0 || remove.length > 0;
}
