import { comparableHost, splitAuthority } from "./authority.ts";
import {
  compareHostPatterns,
  DEFAULT_PORT,
  type HostPattern,
  parseHostPattern,
  whyNotForHost,
} from "./host-pattern.ts";
import type { Verdict } from "./matching.ts";

interface HostEntry<T> {
  readonly pattern: HostPattern;
  readonly value: T;
}

/** The entries of one name: at most one for any port, and one for each port. */
interface HostPorts<T> {
  any: HostEntry<T> | undefined;
  byPort: Map<number, HostEntry<T>> | undefined;
}

/**
 * What hosts mean. The most specific pattern that fits a request is its own, whatever that leads to: the host itself
 * first, then wildcards from the longest to the shortest, `*` last; of one name, that with the request's port comes
 * before that for any. A request finds it in as many steps as its host has parts. What was found is not remembered: hosts
 * come from outside in any number, and looking is as cheap.
 */
export class HostTable<T> {
  /** The more specific first. */
  readonly #entries: readonly HostEntry<T>[];
  readonly #hosts = new Map<string, HostPorts<T>>();
  readonly #suffixes = new Map<string, HostPorts<T>>();
  /** Characters of the longest key in `#suffixes`. */
  #longestSuffix = 0;
  readonly #everything: HostPorts<T> = { any: undefined, byPort: undefined };

  /** Of patterns that mean the same, the first stands. Throws on one that cannot be read. */
  constructor(values: Iterable<readonly [pattern: string, value: T]> = []) {
    const entries: HostEntry<T>[] = [];
    for (const [text, value] of values) {
      const entry = { pattern: parseHostPattern(text), value };
      if (this.#add(entry)) entries.push(entry);
    }
    this.#entries = entries.sort((a, b) => compareHostPatterns(a.pattern, b.pattern));
  }

  /** The more specific pattern first. */
  *[Symbol.iterator](): Iterator<readonly [pattern: string, value: T]> {
    for (const { pattern, value } of this.#entries) yield [pattern.text, value];
  }

  /** What the host of an authority means; undefined when no pattern fits it. `assumed`: the port when it names none. */
  find(authority: string, assumed = DEFAULT_PORT): T | undefined {
    const { host, port } = requested(authority, assumed);
    let found = entryFor(this.#hosts.get(host), port);
    if (found === undefined && this.#suffixes.size > 0) found = this.#bySuffix(host, port);
    return (found ?? entryFor(this.#everything, port))?.value;
  }

  /** What becomes of each pattern for this authority, the more specific first. */
  explain(authority: string): Verdict[] {
    const { host, port } = requested(authority);
    let chosen: string | undefined;
    return this.#entries.map(({ pattern }): Verdict => {
      const { text: rule } = pattern;
      if (chosen !== undefined) return { rule, outcome: "not reached", reason: `${chosen} is more specific` };
      const reason = whyNotForHost(pattern, host, port);
      if (reason !== undefined) return { rule, outcome: "passed over", reason };
      chosen = rule;
      return { rule, outcome: "chosen" };
    });
  }

  #bySuffix(host: string, port: number): HostEntry<T> | undefined {
    // The star stands for one character at least; what follows it begins with a dot or a dash. Before the longest there
    // is nothing to find, however long a host a client makes up.
    for (let at = Math.max(1, host.length - this.#longestSuffix); at < host.length; at++) {
      const code = host.charCodeAt(at);
      if (code !== DOT && code !== DASH) continue;
      const found = entryFor(this.#suffixes.get(host.slice(at)), port);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #add(entry: HostEntry<T>): boolean {
    const { port } = entry.pattern;
    const ports = this.#portsOf(entry.pattern);
    if (port === undefined) {
      if (ports.any !== undefined) return false;
      ports.any = entry;
      return true;
    }
    ports.byPort ??= new Map();
    if (ports.byPort.has(port)) return false;
    ports.byPort.set(port, entry);
    return true;
  }

  #portsOf({ name, suffix }: HostPattern): HostPorts<T> {
    if (suffix === "") return this.#everything;
    this.#longestSuffix = Math.max(this.#longestSuffix, suffix?.length ?? 0);
    const [names, key] = suffix === undefined ? [this.#hosts, name] : [this.#suffixes, suffix];
    const ports: HostPorts<T> = names.get(key) ?? { any: undefined, byPort: undefined };
    names.set(key, ports);
    return ports;
  }
}

const DOT = 0x2e;
const DASH = 0x2d;

function requested(authority: string, assumed = DEFAULT_PORT): { host: string; port: number } {
  const { host, port = assumed } = splitAuthority(authority);
  return { host: comparableHost(host), port };
}

function entryFor<T>(ports: HostPorts<T> | undefined, port: number): HostEntry<T> | undefined {
  return ports?.byPort?.get(port) ?? ports?.any;
}
