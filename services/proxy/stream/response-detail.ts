/**
 * Why the proxy answered a request itself: one machine-readable reason for every answer that is not the upstream's,
 * and Envoy's flags that go with it. This is the whole list: an answer with another reason does not compile, and
 * docs/errors.md is made from it.
 */

/** Envoy's response flags that this proxy sets. */
export const RESPONSE_FLAGS = {
  DC: "the client went away",
  DI: "a delay was injected; further flags may follow",
  DPE: "the client's request is not valid HTTP/1.1",
  FI: "an abort was injected",
  NC: "the service is not known",
  NR: "no route",
  OM: "the proxy is overloaded",
  RL: "rate limited",
  SI: "neither side said anything for too long",
  UAEX: "refused by policy",
  UC: "the connection to the upstream broke",
  UF: "no connection to the upstream",
  UH: "no healthy instance",
  UO: "a limit of the circuit breaker",
  UPE: "the upstream's answer is not valid HTTP/1.1",
  URX: "all retries were used up; further flags may follow",
  UT: "the upstream took too long",
} as const;

export type ResponseFlag = keyof typeof RESPONSE_FLAGS;

interface DetailFacts {
  /** What the client gets; empty: nothing more. */
  readonly status: string;
  readonly flag: ResponseFlag | "";
  readonly why: string;
}

const malformed = (status: number, why: string): DetailFacts => ({ status: String(status), flag: "DPE", why });

export const RESPONSE_DETAILS = {
  direct_response: { status: "any", flag: "", why: "a rule redirects, or answers itself" },
  grpc_health: { status: "200 or 503", flag: "", why: "another proxy asked for the application's gRPC health" },
  cors_response: { status: "200", flag: "", why: "a preflight from an allowed origin" },
  fault_filter_abort: { status: "any", flag: "FI", why: "a rule injects this status" },
  ext_authz_denied: {
    status: "any",
    flag: "UAEX",
    why: "Mixer refused; the status follows from the gRPC code, the body is `PERMISSION_DENIED:<handler's text>`; 429 (a quota is used up) has flag `RL`",
  },
  local_rate_limited: { status: "429", flag: "RL", why: "the route's local rate limit" },
  overload: { status: "503", flag: "OM", why: "the proxy has too many connections, or too little memory" },
  route_not_found: {
    status: "404",
    flag: "NR",
    why: "the service has no such port or no route for the request, or no gateway route matches",
  },
  host_not_registered: {
    status: "502",
    flag: "NR",
    why: "no service of that name in scope, no entry for the host, and the outbound traffic policy is REGISTRY_ONLY",
  },
  forwarding_loop: { status: "502", flag: "NR", why: "the request leads back to this proxy" },
  https_not_supported: {
    status: "501",
    flag: "NR",
    why: "an absolute `https:` target outside the mesh for which no policy has the proxy begin TLS",
  },
  service_not_known_yet: {
    status: "503",
    flag: "NC",
    why: "the bus has not answered within a second what this service, or this host, is",
  },
  cluster_not_found: { status: "503", flag: "NC", why: "the route's service is not known" },
  no_healthy_upstream: { status: "503", flag: "UH", why: "no instance, or none is healthy" },
  "upstream_reset_before_response_started{connection_failure}": {
    status: "503",
    flag: "UF",
    why: "no connection to the instance, or it is not who it should be",
  },
  "upstream_reset_before_response_started{connection_termination}": {
    status: "503",
    flag: "UC",
    why: "the connection broke before an answer",
  },
  "upstream_reset_before_response_started{overflow}": {
    status: "503",
    flag: "UO",
    why: "a limit of the circuit breaker is reached; the answer has `x-envoy-overloaded: true`",
  },
  "upstream_reset_before_response_started{protocol_error}": {
    status: "502",
    flag: "UPE",
    why: "the upstream's answer is not valid HTTP/1.1; the body says what is wrong with it",
  },
  "upstream_reset_after_response_started{protocol_error}": {
    status: "",
    flag: "UPE",
    why: "the rest of an answer is not valid HTTP/1.1, and the client's connection is cut",
  },
  "upstream_reset_after_response_started{connection_termination}": {
    status: "",
    flag: "UC",
    why: "the connection broke in the middle of an answer, and the client's is cut too",
  },
  response_timeout: { status: "504", flag: "UT", why: "no answer within the route's timeout" },
  upstream_per_try_timeout: { status: "504", flag: "UT", why: "the last try had no answer in time" },
  downstream_remote_disconnect: { status: "", flag: "DC", why: "the client went away" },
  stream_idle_timeout: {
    status: "408, 504",
    flag: "SI",
    why: "nothing came or went for `STREAM_IDLE_TIMEOUT_MS`: 408 when the request is not complete, else 504; in the middle of an answer the connection is cut",
  },
  request_overall_timeout: { status: "408", flag: "", why: "the request was not complete within `REQUEST_TIMEOUT_MS`" },
  request_header_timeout: { status: "408", flag: "", why: "no complete head within `REQUEST_HEADERS_TIMEOUT_MS`" },
  missing_host_header: malformed(400, "no Host header"),
  low_version: malformed(426, "HTTP/1.0"),
  connect_not_allowed: malformed(405, "CONNECT to an inbound or gateway listener"),
  "http1.codec_error": malformed(400, "the rest of a request whose beginning was good is not valid"),
  "http1.connect_with_body": malformed(400, "CONNECT with a body"),
  "http1.content_length_and_chunked_not_allowed": malformed(400, "both Content-Length and Transfer-Encoding"),
  "http1.duplicate_host": malformed(400, "more than one Host header"),
  "http1.headers_too_large": malformed(431, "headers of more than `MAX_HEADERS_BYTES`"),
  "http1.invalid_chunked_body": malformed(400, "a chunk that is none"),
  "http1.invalid_content_length": malformed(400, "a Content-Length that is no number, or copies of it that differ"),
  "http1.invalid_header": malformed(400, "a header line without a colon"),
  "http1.invalid_header_name": malformed(400, "a header name that is no token"),
  "http1.invalid_header_value": malformed(400, "a header value with control characters"),
  "http1.invalid_host": malformed(400, "a Host that is not valid"),
  "http1.invalid_method": malformed(400, "a method that is no token"),
  "http1.invalid_request_line": malformed(400, "no HTTP/1.1 request line"),
  "http1.invalid_transfer_encoding": malformed(400, "chunked not last, or not once, or in HTTP/1.0"),
  "http1.invalid_url": malformed(400, "a request target in none of the four forms"),
  "http1.too_many_headers": malformed(431, "more than `MAX_HEADERS_COUNT` headers"),
  "http1.unsupported_transfer_encoding": malformed(501, "a transfer coding other than chunked"),
  "http1.unsupported_version": malformed(505, "another version of HTTP"),
} as const satisfies Readonly<Record<string, DetailFacts>>;

export type ResponseDetail = keyof typeof RESPONSE_DETAILS;
