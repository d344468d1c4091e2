import { MESH_GATEWAY, type StringMatch } from "../../model/index.ts";
import {
  DUPLICATE_DESTINATION,
  FOREIGN_GATEWAY_MATCH,
  IMPOSSIBLE_MATCH,
  LITERAL_REGEX,
  RETRIES_CANNOT_ACT,
  UNEVEN_WEIGHTS,
  UNUSED_DESTINATION,
} from "../codes/routing.ts";
import { canonical } from "../host-book.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";
import { isLiteral, mayMatch } from "../regex-language.ts";

/** What a request without a timeout of its own has, docs/decisions/005. */
const DEFAULT_TIMEOUT_MS = 15_000;

/** Values that are valid and cannot do what they seem to. */
export function checkValues(index: MeshIndex, report: Report): void {
  for (const item of index.all("VirtualService")) {
    for (const [i, route] of item.spec.http.entries()) {
      const path = `spec.http[${i}]`;
      checkMatches(report, item, i);
      checkWeights(report, item, i);
      const { retries, timeoutMs } = route;
      if (retries !== undefined && retries.attempts > 0)
        checkRetries(report, item, retries.perTryTimeoutMs, timeoutMs, `${path}.retries.perTryTimeout`);
      for (const [j, origin] of (route.cors?.allowOrigins ?? []).entries())
        checkText(report, item, "origin", origin, `${path}.corsPolicy.allowOrigins[${j}]`);
    }
  }
  for (const item of index.all("RouteRule")) {
    for (const { name, match } of item.spec.match?.headers ?? [])
      checkText(report, item, name, match, `spec.match.request.headers.${name}`);
    const { retry, timeout, route } = item.spec;
    for (const [i, { weight }] of route.entries())
      if (weight === 0 && route.length > 1)
        report.add(
          UNUSED_DESTINATION,
          item.key,
          `spec.route[${i}].weight`,
          "the weight is 0, so nothing is sent there",
        );
    if (retry !== undefined && retry.attempts > 0)
      checkRetries(report, item, retry.perTryTimeoutMs ?? 0, timeout?.timeoutMs, "spec.httpReqRetries");
  }
  for (const item of index.all("IngressRule"))
    for (const { name, match } of item.spec.match?.headers ?? [])
      checkText(report, item, name, match, `spec.match.request.headers.${name}`);
  for (const item of index.all("QuotaSpec"))
    for (const [i, { matches }] of item.spec.rules.entries())
      for (const [j, clauses] of matches.entries())
        for (const { attribute, match } of clauses)
          checkText(report, item, attribute, match, `spec.rules[${i}].match[${j}].clause.${attribute}`);
}

function checkMatches(report: Report, item: Item<"VirtualService">, i: number): void {
  const { key, spec } = item;
  for (const [j, match] of (spec.http[i]?.matches ?? []).entries()) {
    const path = `spec.http[${i}].match[${j}]`;
    for (const name of ["uri", "scheme", "method", "authority"] as const) {
      const value = match[name];
      if (value !== undefined) checkText(report, item, name, value, `${path}.${name}`);
    }
    for (const field of ["headers", "withoutHeaders", "queryParams"] as const)
      for (const { name, match: value } of match[field])
        if (value !== undefined)
          checkText(report, item, name === "uri" ? "header uri" : name, value, `${path}.${field}.${name}`);
    for (const [k, gateway] of match.gateways.entries()) {
      if (spec.gateways.includes(gateway)) continue;
      const bound = spec.gateways.join(", ");
      const message = `the VirtualService is not bound to ${gateway === MESH_GATEWAY ? "mesh" : `Gateway ${gateway}`}, only to ${bound}`;
      report.add(FOREIGN_GATEWAY_MATCH, key, `${path}.gateways[${k}]`, message);
    }
  }
}

type Checked = Item<"VirtualService" | "RouteRule" | "IngressRule" | "QuotaSpec">;

function checkText(report: Report, { key }: Checked, name: string, match: StringMatch, path: string): void {
  const impossible = (field: string, reason: string): void =>
    report.add(IMPOSSIBLE_MATCH, key, `${path}.${field}`, reason);
  if ("regex" in match) {
    const { regex } = match;
    if (!mayMatch(regex)) impossible("regex", `no text can match ${JSON.stringify(regex)}`);
    else if (name === "uri" && !mayMatch(regex, "/"))
      impossible(
        "regex",
        `${JSON.stringify(regex)} must match the whole path, and no path begins like that: each begins with /`,
      );
    else if (isLiteral(regex)) {
      const whole = MANY_PART.has(name) ? `; a ${name} header with more in it does not` : "";
      report.add(LITERAL_REGEX, key, `${path}.regex`, `only the value ${JSON.stringify(regex)} itself matches${whole}`);
    }
    return;
  }
  const [field, text] = "exact" in match ? ["exact", match.exact] : ["prefix", match.prefix];
  switch (name) {
    case "uri":
      if (text !== "" && !text.startsWith("/"))
        impossible(field, `${JSON.stringify(text)} begins no path: each begins with /`);
      else if (text.includes("?")) impossible(field, "the query is no part of the uri; use queryParams");
      break;
    case "method":
      if (text !== text.toUpperCase()) impossible(field, `methods are in upper case: ${text.toUpperCase()}`);
      break;
    case "scheme":
      if (!["http", "https"].some((scheme) => (field === "exact" ? scheme === text : scheme.startsWith(text))))
        impossible(field, `${JSON.stringify(text)} is no scheme that a proxy sees: http or https`);
      break;
    case "authority":
      if (text.includes("/")) impossible(field, "an authority is host and port, without a path");
      break;
    default:
  }
}

/** Headers whose values mostly have several parts. */
const MANY_PART = new Set(["cookie", "user-agent", "accept", "accept-language", "authorization"]);

function checkWeights(report: Report, { key, spec }: Item<"VirtualService">, i: number): void {
  const destinations = spec.http[i]?.destinations ?? [];
  if (destinations.length < 2) return;
  let sum = 0;
  const seen = new Map<string, number>();
  for (const [j, { destination, weight }] of destinations.entries()) {
    sum += weight;
    const path = `spec.http[${i}].route[${j}]`;
    if (weight === 0)
      report.add(UNUSED_DESTINATION, key, `${path}.weight`, "the weight is 0, so nothing is sent there");
    const id = `${canonical(destination.host)} ${destination.subset} ${destination.port}`;
    const before = seen.get(id);
    if (before === undefined) seen.set(id, j);
    else report.add(DUPLICATE_DESTINATION, key, `${path}.destination`, `the same as spec.http[${i}].route[${before}]`);
  }
  if (sum !== 100 && sum > 0)
    report.add(UNEVEN_WEIGHTS, key, `spec.http[${i}].route`, `the weights add up to ${sum}, not to 100`);
}

function checkRetries(
  report: Report,
  { key }: Item<"VirtualService" | "RouteRule">,
  perTryMs: number,
  timeoutMs: number | undefined,
  path: string,
): void {
  const limitMs = timeoutMs ?? DEFAULT_TIMEOUT_MS;
  if (perTryMs === 0 || limitMs === 0 || perTryMs < limitMs) return;
  report.add(RETRIES_CANNOT_ACT, key, path, `a try may take ${perTryMs} ms, and the whole request ${limitMs} ms`);
}
