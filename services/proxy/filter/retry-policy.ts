import type { Route } from "../../../shared/wire/index.ts";
import { compileValue } from "../route/condition.ts";
import { fieldValue } from "../route/request-parts.ts";
import type { HeaderList } from "../stream/header-list.ts";
import type { ResetReason, ResponseHead } from "../stream/stream.ts";

/**
 * When another try may follow, as a route says it in Envoy's names. Compiled once per route. `refused-stream` is what
 * only HTTP/2 has; over HTTP/1.1 it is never the reason.
 */
export interface RetryPolicy {
  /** Whether an answer calls for another try. */
  onAnswer(head: ResponseHead): boolean;
  /** Whether a try without an answer does. `sent`: bytes of the request may have been seen. */
  onReset(reason: ResetReason, sent: boolean): boolean;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

type RetryConfig = Pick<
  NonNullable<Route["retry"]>,
  "retryOn" | "retriableStatusCodes" | "retriableHeaders" | "backoffBaseMs" | "backoffMaxMs"
>;

type AnswerTest = (head: ResponseHead) => boolean;
type ResetTest = (reason: ResetReason, sent: boolean) => boolean;

const DEFAULT_CONDITIONS = ["5xx", "connect-failure", "refused-stream"];
const BACKOFF_BASE_MS = 25;
const MAX_BACKOFFS = 10;

const isConnectFailure: ResetTest = (reason) => reason === "connect-failure" || reason === "connect-timeout";
/** Any end without an answer but that of our own making. */
const isReset: ResetTest = (reason) => reason !== "overflow" && reason !== "cancelled";
const grpcStatus =
  (code: number): AnswerTest =>
  ({ headers }) =>
    headers.get("grpc-status") === String(code);

interface Tests {
  readonly answer?: AnswerTest;
  readonly reset?: ResetTest;
}

const CONDITIONS: Readonly<Record<string, Tests>> = {
  "5xx": { answer: ({ status }) => status >= 500, reset: isReset },
  "gateway-error": { answer: ({ status }) => status >= 502 && status <= 504, reset: isReset },
  reset: { reset: isReset },
  "reset-before-request": { reset: (reason, sent) => !sent && isReset(reason, sent) },
  "connect-failure": { reset: isConnectFailure },
  "refused-stream": {},
  "retriable-4xx": { answer: ({ status }) => status === 409 },
  cancelled: { answer: grpcStatus(1) },
  "deadline-exceeded": { answer: grpcStatus(4) },
  "resource-exhausted": { answer: grpcStatus(8) },
  internal: { answer: grpcStatus(13) },
  unavailable: { answer: grpcStatus(14) },
};

/** Those that need the policy's own lists. */
function listed(name: string, retry: RetryConfig): Tests | undefined {
  if (name === "retriable-status-codes") {
    const codes = new Set(retry.retriableStatusCodes);
    return { answer: ({ status }) => codes.has(status) };
  }
  if (name === "retriable-headers") {
    const tests = retry.retriableHeaders.map(headerTest);
    return { answer: ({ headers }) => tests.some((test) => test(headers)) };
  }
  return undefined;
}

/** For attempts that come without a policy, such as those that a header asks for. */
export const DEFAULT_RETRY: RetryPolicy = {
  onAnswer: ({ status }) => status >= 500,
  onReset: isReset,
  backoffBaseMs: BACKOFF_BASE_MS,
  backoffMaxMs: BACKOFF_BASE_MS * MAX_BACKOFFS,
};

/** Undefined for a route without retries. Names that are not known are refused: a typing error must not pass. */
export function compileRetry(retry: RetryConfig | null | undefined): RetryPolicy | undefined {
  if (retry === null || retry === undefined) return undefined;
  const names = retry.retryOn.length === 0 ? DEFAULT_CONDITIONS : retry.retryOn;
  const tests = names.map((name) => {
    const known = (Object.hasOwn(CONDITIONS, name) ? CONDITIONS[name] : undefined) ?? listed(name, retry);
    if (known === undefined) throw new Error(`${JSON.stringify(name)} is not a condition for retries`);
    return known;
  });
  const answers = tests.flatMap(({ answer }) => answer ?? []);
  const resets = tests.flatMap(({ reset }) => reset ?? []);
  const backoffBaseMs = retry.backoffBaseMs || BACKOFF_BASE_MS;
  return {
    onAnswer: (head) => answers.some((test) => test(head)),
    onReset: (reason, sent) => resets.some((test) => test(reason, sent)),
    backoffBaseMs,
    backoffMaxMs: retry.backoffMaxMs || backoffBaseMs * MAX_BACKOFFS,
  };
}

/** By the conditions that a request names itself; those that are not known say nothing. The rest is the route's. */
export function retryAsAsked(names: readonly string[], retry: Route["retry"]): RetryPolicy | undefined {
  const lists = ["retriable-status-codes", "retriable-headers"];
  const retryOn = names.filter((name) => Object.hasOwn(CONDITIONS, name) || lists.includes(name));
  if (retryOn.length === 0) return compileRetry(retry);
  return compileRetry({
    retryOn,
    retriableStatusCodes: retry?.retriableStatusCodes ?? [],
    retriableHeaders: retry?.retriableHeaders ?? [],
    backoffBaseMs: retry?.backoffBaseMs ?? 0,
    backoffMaxMs: retry?.backoffMaxMs ?? 0,
  });
}

function headerTest(match: RetryConfig["retriableHeaders"][number]): (headers: HeaderList) => boolean {
  const key = match.name.toLowerCase();
  const isPlain = [match.exact, match.prefix, match.regex].every((value) => value === null || value === undefined);
  const test = isPlain ? () => true : compileValue(match).test;
  return (headers) => {
    const value = fieldValue(headers, key);
    return (value !== undefined && test(value)) !== match.invert;
  };
}
