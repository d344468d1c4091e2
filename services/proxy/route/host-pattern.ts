import { comparableHost, splitAuthority } from "./authority.ts";

/**
 * A name for hosts, as Envoy's virtual hosts have them: a host, `*` and what a host ends with (`*.example.com`,
 * `*-api.example.com`; the star stands for at least one character), or `*` for all. With a port after it, it is for
 * requests to that port alone.
 */
export interface HostPattern {
  /** As it is compared: two patterns of one text mean the same. */
  readonly text: string;
  /** Without the port. */
  readonly name: string;
  /** What the host ends with, "" for `*`; undefined: the name is the host itself. */
  readonly suffix: string | undefined;
  /** Undefined: any. */
  readonly port: number | undefined;
}

/** The port of a request that names none. */
export const DEFAULT_PORT = 80;
const MAX_PORT = 65_535;

/** Throws on what no host could be compared with. */
export function parseHostPattern(given: string): HostPattern {
  const { host, port } = splitAuthority(given);
  const name = comparableHost(host);
  const suffix = name.startsWith("*") ? name.slice(1) : undefined;
  // Without the dot of the root "*." would be "*": half of a pattern must not mean every host.
  const isGood = suffix === undefined ? name !== "" && !name.includes("*") : host === "*" || /^[.-][^*]+$/.test(suffix);
  if (!isGood || port === 0 || (port ?? 0) > MAX_PORT) {
    throw new Error(`host ${JSON.stringify(given)}: write a host, *.suffix or *, each with or without :port`);
  }
  return { text: port === undefined ? name : `${name}:${port}`, name, suffix, port };
}

/** The more specific first: hosts, then the longer suffix, `*` last; with a port before without. */
export function compareHostPatterns(a: HostPattern, b: HostPattern): number {
  const length = ({ suffix }: HostPattern): number => suffix?.length ?? Number.MAX_SAFE_INTEGER;
  return length(b) - length(a) || Number(b.port !== undefined) - Number(a.port !== undefined);
}

/** The text of what both patterns have in common: the narrower of the two, if one lies within the other. */
export function narrowerPattern(a: HostPattern, b: HostPattern): string | undefined {
  if (a.port !== undefined && b.port !== undefined && a.port !== b.port) return undefined;
  const narrower = liesWithin(a, b) ? a : liesWithin(b, a) ? b : undefined;
  const port = a.port ?? b.port;
  return narrower && (port === undefined ? narrower.name : `${narrower.name}:${port}`);
}

function liesWithin({ name, suffix }: HostPattern, outer: HostPattern): boolean {
  if (outer.suffix === undefined) return name === outer.name;
  if (suffix !== undefined) return suffix.endsWith(outer.suffix);
  return name.endsWith(outer.suffix) && name.length > outer.suffix.length;
}

/** Why a pattern is not for a request; undefined when it is. `host` as it is compared. */
export function whyNotForHost(pattern: HostPattern, host: string, port: number): string | undefined {
  const { name, suffix } = pattern;
  if (suffix === undefined && name !== host) return `host ${name}: the request is to ${host}`;
  if (suffix !== undefined && suffix !== "" && !(host.endsWith(suffix) && host.length > suffix.length)) {
    return host === suffix
      ? `host ${name}: nothing of ${host} is left for the star`
      : `host ${name}: ${host} does not end in ${suffix}`;
  }
  if (pattern.port === undefined || pattern.port === port) return undefined;
  return `port ${pattern.port}: the request is to port ${port}`;
}
