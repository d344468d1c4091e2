import type { HttpMatchSpec, NamedMatch, StringMatch } from "../../../shared/model/index.ts";
import type { HeaderMatchInput, RouteMatchInput } from "../../../shared/wire/index.ts";
import { sortedLabels } from "./labels.ts";

/**
 * What requests a route is for, as the proxy judges it: a list of conditions that must all hold. So a delegate's match and that of
 * whoever delegates are simply put together; only where no request could fulfil both is there nothing left.
 */
export interface MatchBlock {
  readonly name: string;
  /** Undefined: every request. */
  readonly match: RouteMatchInput | undefined;
  /** Empty: those of the VirtualService. */
  readonly gateways: readonly string[];
}

/** A route without match blocks. */
export const EVERY_REQUEST: MatchBlock = { name: "", match: undefined, gateways: [] };

/** Header names that mean other parts of a request unless it is said that headers are meant. */
const PARTS: ReadonlySet<string> = new Set(["uri", "scheme", "method", "authority"]);

export function toMatchBlock(spec: HttpMatchSpec): MatchBlock {
  const headers: HeaderMatchInput[] = [];
  const part = (name: string, match: StringMatch | undefined, ignoreCase = false): void => {
    if (match !== undefined) headers.push({ name, ...match, ...(ignoreCase && { ignoreCase }) });
  };
  part("uri", spec.uri, spec.ignoreUriCase && spec.uri !== undefined && !("regex" in spec.uri));
  part("scheme", spec.scheme);
  part("method", spec.method);
  part("authority", spec.authority);
  headers.push(...namedMatches(spec.headers).map(asField));
  headers.push(...namedMatches(spec.withoutHeaders).map((match) => ({ ...asField(match), invert: true })));
  const { sourceNamespace, sourceLabels, port } = spec;
  const hasSource = sourceNamespace !== "" || Object.keys(sourceLabels).length > 0;
  const match: RouteMatchInput = {
    ...(hasSource && { source: { namespace: sourceNamespace, labels: sortedLabels(sourceLabels) } }),
    headers,
    queryParameters: namedMatches(spec.queryParams),
    port,
  };
  const isEmpty = !hasSource && headers.length === 0 && spec.queryParams.length === 0 && port === 0;
  return { name: spec.name, match: isEmpty ? undefined : match, gateways: spec.gateways };
}

function namedMatches(matches: readonly NamedMatch[]): HeaderMatchInput[] {
  return matches.map(({ name, match }) => (match === undefined ? { name, present: true } : { name, ...match }));
}

function asField(match: HeaderMatchInput): HeaderMatchInput {
  return PARTS.has(match.name ?? "") ? { ...match, isField: true } : match;
}

export type Conjunction = { readonly block: MatchBlock } | { readonly conflict: string };

/** The requests that both are for; `conflict` says why there are none. */
export function conjunction(outer: MatchBlock, inner: MatchBlock): Conjunction {
  const gateways = commonGateways(outer.gateways, inner.gateways);
  if (gateways === undefined) return { conflict: "they name different gateways" };
  const name = [outer.name, inner.name].filter((part) => part !== "").join("-");
  const a = outer.match;
  const b = inner.match;
  if (a === undefined || b === undefined) return { block: { name, match: a ?? b, gateways } };
  if (a.port && b.port && a.port !== b.port) return { conflict: `port ${a.port} is not ${b.port}` };
  const source = commonSource(a.source, b.source);
  if (source === undefined) return { conflict: "they name different sources" };
  const headers = both(a.headers ?? [], b.headers ?? []);
  if (typeof headers === "string") return { conflict: headers };
  const queryParameters = both(a.queryParameters ?? [], b.queryParameters ?? []);
  if (typeof queryParameters === "string") return { conflict: `query parameter ${queryParameters}` };
  const match = { ...(source !== null && { source }), headers, queryParameters, port: a.port || b.port || 0 };
  return { block: { name, match, gateways } };
}

/** Undefined when there are none. */
function commonGateways(a: readonly string[], b: readonly string[]): readonly string[] | undefined {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const common = a.filter((name) => b.includes(name));
  return common.length === 0 ? undefined : common;
}

type Source = NonNullable<RouteMatchInput["source"]> | null | undefined;

/** Undefined when no caller is both, null when every caller is. */
function commonSource(a: Source, b: Source): Source | undefined {
  if (!a || !b) return a ?? b ?? null;
  if (a.namespace && b.namespace && a.namespace !== b.namespace) return undefined;
  const labels = { ...a.labels, ...b.labels };
  if (Object.entries(a.labels ?? {}).some(([name, value]) => labels[name] !== value)) return undefined;
  return { namespace: a.namespace || b.namespace || "", labels: sortedLabels(labels) };
}

/** All conditions of both, none that another one says already; a text when they cannot hold together. */
function both(outer: readonly HeaderMatchInput[], inner: readonly HeaderMatchInput[]): HeaderMatchInput[] | string {
  const result = [...outer];
  for (const condition of inner) {
    let isSaid = false;
    for (let i = 0; i < result.length && !isSaid; i++) {
      const other = result[i];
      if (other === undefined || other.name !== condition.name || other.isField !== condition.isField) continue;
      const joint = jointOf(other, condition);
      if (joint === "never") return `${condition.name} ${shown(other)} and ${shown(condition)} never hold together`;
      if (joint === undefined) continue;
      result[i] = joint;
      isSaid = true;
    }
    if (!isSaid) result.push(condition);
  }
  return result;
}

/** One condition that says as much as both; undefined when it takes two. */
function jointOf(a: HeaderMatchInput, b: HeaderMatchInput): HeaderMatchInput | "never" | undefined {
  if (a.ignoreCase || b.ignoreCase) return undefined;
  const [textA, textB] = [textOf(a), textOf(b)];
  if (textA === textB) return (a.invert === true) === (b.invert === true) ? a : "never";
  if (a.invert || b.invert) return undefined;
  if (a.present) return b;
  if (b.present) return a;
  if (a.regex !== undefined || b.regex !== undefined) return undefined;
  const exactA = a.exact ?? undefined;
  const exactB = b.exact ?? undefined;
  if (exactA !== undefined) return exactB === undefined && exactA.startsWith(b.prefix ?? "") ? a : "never";
  if (exactB !== undefined) return exactB.startsWith(a.prefix ?? "") ? b : "never";
  if ((b.prefix ?? "").startsWith(a.prefix ?? "")) return b;
  return (a.prefix ?? "").startsWith(b.prefix ?? "") ? a : "never";
}

function textOf({ exact, prefix, regex, present }: HeaderMatchInput): string {
  return JSON.stringify([exact, prefix, regex, present]);
}

function shown({ exact, prefix, regex, invert }: HeaderMatchInput): string {
  const not = invert ? "not " : "";
  if (exact !== undefined) return `${not}exact ${JSON.stringify(exact)}`;
  if (prefix !== undefined) return `${not}prefix ${JSON.stringify(prefix)}`;
  return regex === undefined ? `${not}present` : `${not}regex ${JSON.stringify(regex)}`;
}
