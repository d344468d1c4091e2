import type { ExportTo } from "../../../shared/model/index.ts";
import { type NamedHostInput, tableKey } from "../../../shared/wire/index.ts";
import { type Aged, compareAge } from "./age.ts";
import { isVisible } from "./visibility.ts";

/**
 * What hosts that are no names of registered services mean, namespace by namespace.
 *
 * Several namespaces may say what a host is, and each says who may see it. A caller meets the one service that stands first: a
 * real one before one that only a VirtualService made up, its own namespace's before others', the older before the younger.
 * What all see is worked out once for all; a namespace only adds what is its own or was shown to it by name.
 */
export interface HostOffer extends Aged {
  /** A host, `*.suffix` or `*`; an IPv6 address in brackets. */
  readonly pattern: string;
  /** The service that it means: its place in table `service`. */
  readonly namespace: string;
  readonly name: string;
  readonly exportTo: ExportTo;
  /** Nothing but a VirtualService speaks of it. */
  readonly isRouteOnly: boolean;
}

export interface CompiledHosts {
  /** By pattern. */
  readonly hosts: readonly NamedHostInput[];
  /** How many more there would be than a table may have. */
  readonly left: number;
}

export const MAX_HOSTS = 10_000;
/** A table is one message. */
const MAX_BYTES = 900 * 1024;
/** Of one host beside its names. */
const OVERHEAD_BYTES = 16;

export class HostTables {
  readonly #namespaces: () => Iterable<string>;
  /** By key in table `service`. */
  readonly #offers = new Map<string, readonly HostOffer[]>();
  readonly #byPattern = new Map<string, Set<HostOffer>>();
  /** Patterns about which a namespace may see something that others do not, and in how many offers. */
  readonly #special = new Map<string, Map<string, number>>();
  /** What all see, the same object for as long as it is the same. */
  #forAll: { readonly byAll: ReadonlyMap<string, HostOffer>; readonly compiled: CompiledHosts } | undefined;

  /** `namespaces`: those that have callers. */
  constructor(namespaces: () => Iterable<string>) {
    this.#namespaces = namespaces;
  }

  /** What means the service now; returns the namespaces whose hosts may be others now. */
  set(key: string, offers: readonly HostOffer[]): readonly string[] {
    const before = this.#offers.get(key) ?? [];
    if (JSON.stringify(before) === JSON.stringify(offers)) return [];
    for (const offer of before) this.#remove(offer);
    for (const offer of offers) this.#add(offer);
    if (offers.length === 0) this.#offers.delete(key);
    else this.#offers.set(key, offers);
    this.#forAll = undefined;
    const shown = new Set([...before, ...offers].flatMap(({ exportTo }) => exportTo));
    return [...this.#namespaces()].filter((namespace) => shown.has("*") || shown.has(namespace));
  }

  /** What a namespace sees; those that see the same get the same object. */
  compile(namespace: string): CompiledHosts {
    const { byAll, compiled } = this.#seenByAll();
    const special = this.#special.get(namespace);
    if (special === undefined) return compiled;
    const own = [...special.keys()].flatMap((pattern) => this.#best(pattern, namespace) ?? []);
    // What a namespace says itself is mostly what all see of it, unless there is too much for a table.
    if (compiled.left === 0 && own.every((best) => byAll.get(best.pattern) === best)) return compiled;
    const chosen = new Map(byAll);
    for (const best of own) chosen.set(best.pattern, best);
    return compiledHosts([...chosen.values()], namespace);
  }

  /** The service that just this host or pattern means to a namespace. */
  find(pattern: string, namespace: string): { readonly namespace: string; readonly name: string } | undefined {
    return this.#best(pattern, namespace);
  }

  /** Keys in table `service` of all services with just this host or pattern. */
  keysOf(pattern: string): string[] {
    return [...(this.#byPattern.get(pattern) ?? [])].map(({ namespace, name }) => tableKey(namespace, name));
  }

  /** `namespace`: undefined for what all see. */
  #best(pattern: string, namespace: string | undefined): HostOffer | undefined {
    let best: HostOffer | undefined;
    for (const offer of this.#byPattern.get(pattern) ?? []) {
      if (!isVisible(offer.exportTo, namespace)) continue;
      if (best === undefined || compareOffers(offer, best, namespace) < 0) best = offer;
    }
    return best;
  }

  #seenByAll() {
    if (this.#forAll !== undefined) return this.#forAll;
    const offers: HostOffer[] = [];
    for (const pattern of this.#byPattern.keys()) {
      const best = this.#best(pattern, undefined);
      if (best !== undefined) offers.push(best);
    }
    offers.sort(byPattern);
    const byAll = new Map(offers.map((offer) => [offer.pattern, offer]));
    this.#forAll = { byAll, compiled: compiledHosts(offers, undefined) };
    return this.#forAll;
  }

  #add(offer: HostOffer): void {
    const offers = this.#byPattern.get(offer.pattern) ?? new Set<HostOffer>();
    this.#byPattern.set(offer.pattern, offers.add(offer));
    for (const namespace of specialTo(offer)) {
      const counts = this.#special.get(namespace) ?? new Map<string, number>();
      counts.set(offer.pattern, (counts.get(offer.pattern) ?? 0) + 1);
      this.#special.set(namespace, counts);
    }
  }

  #remove(offer: HostOffer): void {
    const offers = this.#byPattern.get(offer.pattern);
    offers?.delete(offer);
    if (offers?.size === 0) this.#byPattern.delete(offer.pattern);
    for (const namespace of specialTo(offer)) {
      const counts = this.#special.get(namespace);
      const left = (counts?.get(offer.pattern) ?? 1) - 1;
      if (left > 0) counts?.set(offer.pattern, left);
      else counts?.delete(offer.pattern);
      if (counts?.size === 0) this.#special.delete(namespace);
    }
  }
}

function specialTo({ namespace, exportTo }: HostOffer): Set<string> {
  return new Set([namespace, ...exportTo].filter((name) => name !== "*"));
}

function compareOffers(a: HostOffer, b: HostOffer, namespace: string | undefined): number {
  return (
    Number(a.isRouteOnly) - Number(b.isRouteOnly) ||
    Number(b.namespace === namespace) - Number(a.namespace === namespace) ||
    compareAge(a, b) ||
    // Hosts of one resource may share an address.
    (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  );
}

function byPattern(a: HostOffer, b: HostOffer): number {
  return a.pattern < b.pattern ? -1 : 1;
}

function compiledHosts(offers: readonly HostOffer[], namespace: string | undefined): CompiledHosts {
  const kept = bounded(offers, namespace);
  return {
    // In order but for a few: that costs little.
    hosts: [...kept]
      .sort(byPattern)
      .map(({ pattern, namespace: of, name }) => ({ pattern, namespace: of, service: name })),
    left: offers.length - kept.length,
  };
}

/** As many as a table may have: the namespace's own first, then the older ones. */
function bounded(offers: readonly HostOffer[], namespace: string | undefined): readonly HostOffer[] {
  const sizeOf = ({ pattern, namespace: of, name }: HostOffer): number =>
    pattern.length + of.length + name.length + OVERHEAD_BYTES;
  const total = offers.reduce((sum, offer) => sum + sizeOf(offer), 0);
  if (offers.length <= MAX_HOSTS && total <= MAX_BYTES) return offers;
  const kept: HostOffer[] = [];
  let bytes = 0;
  for (const offer of [...offers].sort((a, b) => compareOffers(a, b, namespace))) {
    bytes += sizeOf(offer);
    if (kept.length >= MAX_HOSTS || bytes > MAX_BYTES) break;
    kept.push(offer);
  }
  return kept;
}
