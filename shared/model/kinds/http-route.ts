import { type At, below } from "../reader.ts";
import { bool, int32, string } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";
import type {
  HeadersSpec,
  HttpDestinationSpec,
  HttpMirrorSpec,
  HttpRewriteSpec,
  HttpRouteSpec,
} from "../specs-networking.ts";
import { corsPolicy } from "./cors-policy.ts";
import { destination, NO_DESTINATION } from "./destination.ts";
import { addedHeaders, headers, isHost, NO_HEADERS } from "./header-operations.ts";
import { delegate, httpDirectResponse, httpMirrors, httpRedirect, httpRewrite } from "./http-actions.ts";
import { httpFault } from "./http-fault.ts";
import { httpMatches } from "./http-match.ts";
import { httpRetry } from "./http-retry.ts";
import { count, percentage, span } from "./networking.ts";

/** One route of a VirtualService: for which requests, and what becomes of them. */

const MAX_WEIGHT = 4_294_967_295;

/** Names of Istio 1.0, with what took their place. */
const OLDER_NAMES = {
  appendRequestHeaders: "use headers.request.add",
  removeRequestHeaders: "use headers.request.remove",
  appendResponseHeaders: "use headers.response.add",
  removeResponseHeaders: "use headers.response.remove",
};

const weighted: Schema<HttpDestinationSpec> = checked(
  object(
    {
      destination: field(destination, "Where to.", { required: true }),
      weight: field(count(), "Share of the requests, relative to the other weights.", {
        default: "0; 100 of the only one",
      }),
      headers: field(headers({ host: false }), "Changes to headers, only for this destination."),
    },
    [],
    OLDER_NAMES,
  ),
  (value): HttpDestinationSpec => ({
    destination: value.destination ?? NO_DESTINATION,
    weight: value.weight ?? 0,
    headers: value.headers ?? NO_HEADERS,
  }),
);

const destinations = checked(list(weighted), (items, at) => {
  if (!at.clean()) return undefined;
  const [first, second] = items;
  if (first !== undefined && second === undefined) {
    if (first.weight !== 0 && first.weight !== 100)
      at.reader.warn(`${at.path}[0].weight`, first.weight, "has no effect", "the only destination gets every request");
    return [{ ...first, weight: 100 }];
  }
  const total = items.reduce((sum, { weight }) => sum + weight, 0);
  if (items.length > 1 && total === 0) return at.error("the weights add up to 0", "give weights, such as 80 and 20");
  if (total > MAX_WEIGHT) return at.error(`the weights add up to more than ${MAX_WEIGHT}`, "use smaller weights");
  return items;
});

const fields = object(
  {
    name: field(string(), "Name of the route, shown in logs."),
    match: field(httpMatches, "Which requests: those for which any entry holds.", { default: "all" }),
    route: field(destinations, "Where they go, by weight."),
    redirect: field(httpRedirect, "Answers with a redirect instead of forwarding."),
    directResponse: field(httpDirectResponse, "Answers instead of forwarding."),
    delegate: field(delegate, "Goes on with the routes of another VirtualService, which has no hosts."),
    rewrite: field(httpRewrite, "Changes path or host before forwarding."),
    timeout: field(span({ minMs: 0 }), "How long a request may take, retries included; 0s turns the limit off.", {
      default: "15 s",
    }),
    retries: field(httpRetry, "When and how often failed requests are tried again.", {
      default: "as MeshConfig says, else never",
    }),
    fault: field(httpFault, "Faults to inject at the caller's side."),
    mirror: field(destination, "Also sends a copy of each request there, and ignores the answer."),
    mirrors: field(httpMirrors, "Also sends copies of requests there, and ignores the answers."),
    mirrorPercent: field(int32({ min: 0, max: 100 }), "Share of the requests that mirror gets.", {
      deprecated: "use mirrorPercentage.value",
    }),
    mirrorPercentage: field(percentage(), "Share of the requests that mirror gets.", { default: "all" }),
    corsPolicy: field(corsPolicy, "Cross-origin requests that browsers may make."),
    headers: field(headers({ host: true }), "Changes to headers."),
    appendHeaders: field(addedHeaders(), "Headers to add before forwarding.", {
      deprecated: "use headers.request.add",
    }),
    websocketUpgrade: field(bool(), "Whether requests may be upgraded to WebSocket.", {
      default: "they always may",
      unsupported: { remedy: "remove the field: every request may be upgraded to WebSocket", harmless: [true] },
      deprecated: "remove it: every request may be upgraded",
    }),
  },
  [],
  OLDER_NAMES,
);

export const httpRoute: Schema<HttpRouteSpec> = checked(fields, (value, at): HttpRouteSpec => {
  checkConflicts(at);
  const mirrors: HttpMirrorSpec[] = [...(value.mirrors ?? [])];
  const share = value.mirrorPercentage ?? value.mirrorPercent;
  if (value.mirror !== undefined) mirrors.push({ destination: value.mirror, percent: share ?? 100 });
  else if (share !== undefined && !at.has("mirror")) {
    const name = at.has("mirrorPercentage") ? "mirrorPercentage" : "mirrorPercent";
    at.warnOf(name, "has no effect without mirror", "give mirror, or remove it");
  }
  const given = withAdded(value.headers ?? NO_HEADERS, value.appendHeaders ?? [], at);
  if (value.redirect !== undefined && value.redirect.prefixRewrite !== "") {
    for (const [index, { uri }] of (value.match ?? []).entries()) {
      if (uri !== undefined && !("prefix" in uri))
        at.reader.error(
          `${below(at.path, "match")}[${index}].uri`,
          null,
          "is not matched by prefix",
          "redirect.prefixRewrite replaces a matched prefix",
        );
    }
  }
  return {
    name: value.name ?? "",
    matches: value.match ?? [],
    destinations: value.route ?? [],
    redirect: value.redirect,
    directResponse: value.directResponse,
    delegate: value.delegate,
    rewrite: rewriteOf(value.rewrite, given.request, at),
    timeoutMs: value.timeout,
    retries: value.retries,
    fault: value.fault,
    mirrors,
    cors: value.corsPolicy,
    headers: {
      request: { ...given.request, set: withoutHost(given.request.set), add: withoutHost(given.request.add) },
      response: given.response,
    },
  };
});

/** The headers of appendHeaders, the older name of what headers.request.add is for. */
function withAdded(given: HeadersSpec, more: Pairs, at: At): HeadersSpec {
  for (const { name } of more) {
    if (given.request.add.some((other) => other.name === name))
      at.errorOf("appendHeaders", `adds ${name} a second time`, "keep headers.request.add");
  }
  return { ...given, request: { ...given.request, add: [...given.request.add, ...more] } };
}

type Pairs = readonly { readonly name: string; readonly value: string }[];

function withoutHost(pairs: Pairs): Pairs {
  return pairs.filter(({ name }) => !isHost(name));
}

/** The host may be rewritten in one place only. */
function rewriteOf(
  rewrite: HttpRewriteSpec | undefined,
  request: { readonly set: Pairs; readonly add: Pairs },
  at: At,
): HttpRewriteSpec | undefined {
  const hosts = [...request.set, ...request.add].filter(({ name }) => isHost(name));
  const [host] = hosts;
  if (host === undefined) return rewrite;
  if (hosts.length > 1 || (rewrite !== undefined && rewrite.authority !== ""))
    at.errorOf("headers", "changes the host a second time", "keep one of rewrite.authority and headers.request");
  return { uri: "", regex: undefined, ...rewrite, authority: host.value };
}

/** What ends a request's way, and what cannot stand beside it. */
const ENDS: readonly (readonly [string, readonly string[]])[] = [
  ["delegate", ["redirect", "route", "directResponse"]],
  ["redirect", ["route", "fault", "rewrite", "directResponse"]],
  ["directResponse", ["route", "fault", "rewrite"]],
];

function checkConflicts(at: At): void {
  const given = (name: string) => {
    const value = at.given(name);
    return value !== undefined && !(Array.isArray(value) && value.length === 0);
  };
  for (const [end, others] of ENDS) {
    if (!given(end)) continue;
    for (const other of others.filter(given))
      at.errorOf(other, `cannot be combined with ${end}`, `keep either ${other} or ${end}`);
    if (end !== "delegate") return;
  }
  if (!["delegate", "route", "redirect", "directResponse"].some(given) && at.clean())
    at.error("leads nowhere", "give route, redirect, directResponse or delegate");
  if (given("mirror") && given("mirrors")) at.errorOf("mirror", "cannot be combined with mirrors", "add it to mirrors");
}
