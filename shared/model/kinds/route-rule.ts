import { GRPC_STATUS_NAMES } from "../../base/index.ts";
import { defineKind } from "../define-kind.ts";
import { anyObject, bool, duration, float, int32, string } from "../scalars.ts";
import { checked, field, list, map, object, oneOf, type Schema } from "../schema.ts";
import type {
  CorsSpec,
  FaultAbortSpec,
  FaultDelaySpec,
  FaultSpec,
  RetrySpec,
  RouteRuleSpec,
  ServiceRef,
  TimeoutSpec,
  UriAuthority,
  WeightedDestinationSpec,
} from "../specs.ts";
import {
  authority,
  checkHeaderName,
  FOREIGN,
  istioService,
  labels,
  matchCondition,
  optionalHeaderName,
  path,
  wholeService,
} from "./common.ts";

const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"];
const NOWHERE: ServiceRef = { host: "", service: undefined, labels: {} };

interface WeightedItem {
  readonly destination: ServiceRef | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
}

const weightedItem: Schema<WeightedItem> = checked(
  object({
    destination: field(istioService(), "Where to.", { default: "the rule's own destination" }),
    labels: field(labels(), "Only instances with all of these labels."),
    weight: field(int32({ min: 0, max: 100 }), "Share in percent; may be left out of the only entry."),
  }),
  (value) => ({
    destination: value.destination,
    labels: { ...value.destination?.labels, ...value.labels },
    weight: value.weight ?? 0,
  }),
);

const route = checked(list(weightedItem), (items, at) => {
  if (!at.clean()) return undefined;
  const [first, second] = items;
  if (first !== undefined && second === undefined && first.weight === 0) return [{ ...first, weight: 100 }];
  const sum = items.reduce((total, { weight }) => total + weight, 0);
  if (items.length > 0 && sum !== 100) {
    const remedy =
      items.length === 1 ? "leave the weight of the only entry out, or make it 100" : "make the weights add up to 100";
    return at.error(`the weights add up to ${sum}, not 100`, remedy);
  }
  return items;
});

function uriAuthority(verb: string): Schema<UriAuthority> {
  const fields = object({
    uri: field(path(), `The path to ${verb}.`),
    authority: field(authority(), `The host to ${verb}.`),
  });
  return checked(fields, ({ uri = "", authority: host = "" }, at) => {
    if (uri === "" && host === "" && at.clean())
      return at.error("names neither uri nor authority", "give uri, authority or both");
    return { uri, authority: host };
  });
}

const timeout = checked(
  object(
    {
      simpleTimeout: field(
        object({
          timeout: field(duration(), "How long a request may take, retries included.", { required: true }),
          overrideHeaderName: field(
            optionalHeaderName(),
            "Request header whose value in milliseconds replaces the timeout.",
          ),
        }),
        "A fixed timeout.",
      ),
      custom: field(anyObject(), "Settings of another proxy.", {
        unsupported: { remedy: `use simpleTimeout: ${FOREIGN}` },
      }),
    },
    [oneOf("simpleTimeout", "custom")],
  ),
  ({ simpleTimeout }, at): TimeoutSpec | undefined => {
    if (simpleTimeout?.timeout === undefined || !at.clean()) return undefined;
    return { timeoutMs: simpleTimeout.timeout, overrideHeader: simpleTimeout.overrideHeaderName ?? "" };
  },
);

const retries = checked(
  object(
    {
      simpleRetry: field(
        object({
          attempts: field(int32({ min: 0 }), "How many times a failed request is tried again.", { default: "0" }),
          perTryTimeout: field(duration(), "How long one try may take.", { default: "as long as the request" }),
          overrideHeaderName: field(optionalHeaderName(), "Request header whose value replaces attempts."),
        }),
        "A fixed number of retries.",
      ),
      custom: field(anyObject(), "Settings of another proxy.", {
        unsupported: { remedy: `use simpleRetry: ${FOREIGN}` },
      }),
    },
    [oneOf("simpleRetry", "custom")],
  ),
  ({ simpleRetry }): RetrySpec | undefined =>
    simpleRetry === undefined
      ? undefined
      : {
          attempts: simpleRetry.attempts ?? 0,
          perTryTimeoutMs: simpleRetry.perTryTimeout,
          overrideHeader: simpleRetry.overrideHeaderName ?? "",
        },
);

const percent = float({ min: 0, max: 100 });

/** A name or a number, as text. OK is none: it would be an answer without a message, which no client expects. */
const grpcStatus = checked(string(), (text, at): number | undefined => {
  const code = /^\d{1,2}$/.test(text) ? Number(text) : GRPC_STATUS_NAMES.indexOf(text.toUpperCase());
  if (code > 0 && code < GRPC_STATUS_NAMES.length) return code;
  return at.error(
    `must be a gRPC status other than OK`,
    `write its name or number: one of ${GRPC_STATUS_NAMES.slice(1).join(", ")}`,
  );
});

const fault = checked(
  object({
    delay: field(
      object(
        {
          percent: field(percent, "Share of requests to delay; all by default, none for 0."),
          fixedDelay: field(duration(), "How long to wait before forwarding."),
          exponentialDelay: field(
            duration(),
            "How long on average: each request waits a time of its own, exponentially distributed, at most ten times this.",
          ),
          overrideHeaderName: field(
            optionalHeaderName(),
            "Request header whose value in milliseconds replaces the delay.",
          ),
        },
        [oneOf("fixedDelay", "exponentialDelay")],
      ),
      "Delays requests before forwarding them.",
    ),
    abort: field(
      object(
        {
          percent: field(percent, "Share of requests to abort; all by default, none for 0."),
          grpcStatus: field(
            grpcStatus,
            "The status to answer gRPC requests with, by name or number; others get the HTTP status that stands for it.",
          ),
          http2Error: field(string(), "An error of HTTP/2 to end requests with.", {
            unsupported: {
              remedy: "use httpStatus or grpcStatus: requests reach the proxy in HTTP/1.1, which has no such errors",
            },
          }),
          httpStatus: field(int32({ min: 0, max: 600 }), "The status to answer with; 0 aborts nothing."),
          overrideHeaderName: field(
            optionalHeaderName(),
            "Request header whose value replaces the status: an HTTP status, or a gRPC number where the rule has one.",
          ),
        },
        [oneOf("grpcStatus", "http2Error", "httpStatus")],
      ),
      "Answers requests instead of forwarding them.",
    ),
  }),
  ({ delay, abort }, at): FaultSpec => {
    if (
      delay !== undefined &&
      delay.fixedDelay === undefined &&
      delay.exponentialDelay === undefined &&
      at.clean("delay")
    ) {
      at.reader.error(`${at.path}.delay.fixedDelay`, null, "required", "say how long to wait, such as 7s");
    }
    return {
      delay: delay && delaySpec(delay),
      abort: abort && abortSpec(abort),
    };
  },
);

function delaySpec(delay: {
  readonly percent?: number | undefined;
  readonly fixedDelay?: number | undefined;
  readonly exponentialDelay?: number | undefined;
  readonly overrideHeaderName?: string | undefined;
}): FaultDelaySpec | undefined {
  const { fixedDelay, exponentialDelay } = delay;
  const common = { percent: delay.percent ?? 100, overrideHeader: delay.overrideHeaderName ?? "" };
  if (fixedDelay !== undefined) return { ...common, fixedDelayMs: fixedDelay };
  return exponentialDelay === undefined ? undefined : { ...common, exponentialDelayMs: exponentialDelay };
}

function abortSpec(abort: {
  readonly percent?: number | undefined;
  readonly httpStatus?: number | undefined;
  readonly grpcStatus?: number | undefined;
  readonly overrideHeaderName?: string | undefined;
}): FaultAbortSpec | undefined {
  const { httpStatus = 0, grpcStatus: grpc } = abort;
  const common = { percent: abort.percent ?? 100, overrideHeader: abort.overrideHeaderName ?? "" };
  if (grpc !== undefined) return { ...common, grpcStatus: grpc };
  return httpStatus === 0 ? undefined : { ...common, httpStatus };
}

const lowerCaseNames = list(
  checked(string(), (name, at) => {
    checkHeaderName(name, at);
    return name;
  }),
);

/** Text, not an enum: a number means no method. */
const method = checked(string(), (name, at) =>
  METHODS.includes(name) ? name : at.error(`must be one of ${METHODS.join(", ")}`, "write it in upper case"),
);

const cors = checked(
  object({
    allowOrigin: field(list(string()), "Origins that may read the answer; * is any."),
    allowMethods: field(list(method), "Methods that may be used."),
    allowHeaders: field(lowerCaseNames, "Request headers that may be used, in lower case."),
    exposeHeaders: field(lowerCaseNames, "Answer headers that may be read, in lower case."),
    maxAge: field(duration({ stepMs: 1000 }), "How long a preflight answer may be kept, in whole seconds."),
    allowCredentials: field(bool(), "Whether cookies may be sent."),
  }),
  (value): CorsSpec => ({
    allowOrigin: value.allowOrigin ?? [],
    allowMethods: value.allowMethods ?? [],
    allowHeaders: value.allowHeaders ?? [],
    exposeHeaders: value.exposeHeaders ?? [],
    maxAgeMs: value.maxAge,
    allowCredentials: value.allowCredentials,
  }),
);

const FRAMING = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const headerValue = checked(string(), (text, at) => {
  if (text === "") return at.error("a header to append needs a value", "give a value, or remove the header");
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) return text;
  return at.error("has characters that no header may carry", "remove line breaks and control characters");
});

const appendHeaders = checked(
  map(headerValue, (name, at) => {
    checkHeaderName(name, at);
    if (FRAMING.has(name))
      at.error(`${name} belongs to the connection`, "remove it; use rewrite.authority to change the host");
  }),
  (headers) => Object.entries(headers).map(([name, value]) => ({ name, value })),
);

const schema = object({
  destination: field(wholeService(), "The service whose requests the rule is about.", {
    required: true,
  }),
  precedence: field(int32(), "Rules with higher precedence are tried first.", { default: "0" }),
  match: field(matchCondition(), "Which requests.", { default: "all" }),
  route: field(route, "Where they go, by weight; all instances of the destination when absent."),
  redirect: field(uriAuthority("redirect to"), "Answers 302 instead of forwarding."),
  rewrite: field(
    uriAuthority("forward with"),
    "Changes path or host before forwarding; uri replaces the matched prefix.",
  ),
  websocketUpgrade: field(bool(), "Whether requests may be upgraded to WebSocket."),
  httpReqTimeout: field(timeout, "How long a request may take.", { default: "15 s" }),
  httpReqRetries: field(retries, "When and how often failed requests are tried again.", { default: "never" }),
  httpFault: field(fault, "Faults to inject at the caller's side."),
  l4Fault: field(anyObject(), "Faults of connections.", {
    unsupported: { remedy: "use httpFault: only HTTP passes through the proxy" },
  }),
  mirror: field(istioService(), "Also sends a copy of each request there, and ignores the answer."),
  corsPolicy: field(cors, "Cross-origin requests that browsers may make."),
  appendHeaders: field(appendHeaders, "Headers to add before forwarding."),
});

/** RouteRule: how requests to one service are routed. */
export const ROUTE_RULE = defineKind<RouteRuleSpec>({
  kind: "RouteRule",
  plural: "routerules",
  class: "traffic",
  doc: "Routes the requests of one service: which versions they go to, with what timeout, retries and faults.",
  schema: checked(schema, (value, at) => {
    if (at.has("redirect")) {
      const routes = value.route ?? [];
      const why = "cannot be combined with redirect";
      if (routes.length > 0 || (at.has("route") && !at.clean("route")))
        at.errorOf("route", why, "keep either route or redirect");
      if (at.has("httpFault")) at.errorOf("httpFault", why, "keep either httpFault or redirect");
      if (at.has("rewrite")) at.errorOf("rewrite", why, "keep either rewrite or redirect");
      if (value.websocketUpgrade === true)
        at.errorOf("websocketUpgrade", why, "keep either websocketUpgrade or redirect");
    }
    const destination = value.destination ?? NOWHERE;
    return {
      destination,
      precedence: value.precedence ?? 0,
      match: value.match,
      route: (value.route ?? []).map(
        (item): WeightedDestinationSpec => ({
          destination: { ...(item.destination ?? destination), labels: item.labels },
          weight: item.weight,
        }),
      ),
      redirect: value.redirect,
      rewrite: value.rewrite,
      websocketUpgrade: value.websocketUpgrade ?? false,
      timeout: value.httpReqTimeout,
      retry: value.httpReqRetries,
      fault: value.httpFault,
      mirror: value.mirror,
      cors: value.corsPolicy,
      appendHeaders: value.appendHeaders ?? [],
    };
  }),
});
