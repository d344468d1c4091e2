import { lookup } from "node:dns/promises";
import { Backoff, type Clock, jittered } from "../../../shared/base/index.ts";

/**
 * What names of endpoints resolve to, asked again and again while anybody wants to know. The system's own resolver is
 * asked, as every program on the machine does it, so hosts files and search domains count. It tells no lifetimes: a name
 * is asked for again after half a minute. When it does not answer, or says that there is no such name, what it said
 * last stands, as the bus's values do; who has had no answer yet has none.
 *
 * The resolver works on Node's few threads, which files need too: so at most two questions are under way, and those that
 * wait are asked in turn.
 */

const REFRESH_MS = 30_000;
const JITTER = 0.2;
const RETRY = { baseMs: 1_000, maxMs: REFRESH_MS };
const MIN_RETRY_MS = 250;
const PARALLEL_LOOKUPS = 2;
/** Names come from configuration; more are not followed. */
const MAX_NAMES = 1_024;
/** Of one name. */
const MAX_ADDRESSES = 64;

/** All addresses of a name. Rejects when there is no answer. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

export interface DnsBookOptions {
  readonly clock: Clock;
  /** Default: the system's resolver. */
  readonly resolve?: ResolveName;
}

/** A name that is followed. */
export interface FollowedName {
  /** Sorted; undefined: there has been no answer yet. */
  readonly addresses: readonly string[] | undefined;
  close(): void;
}

export class DnsBook {
  readonly #clock: Clock;
  readonly #resolve: ResolveName;
  readonly #names = new Map<string, Name>();
  readonly #queue: Name[] = [];
  #asking = 0;

  constructor({ clock, resolve = resolveBySystem }: DnsBookOptions) {
    this.#clock = clock;
    this.#resolve = resolve;
  }

  /** `onChange`: the addresses are others than before. Undefined when too many names are followed. */
  follow(text: string, onChange: () => void): FollowedName | undefined {
    const known = this.#names.get(text);
    if (known === undefined && this.#names.size >= MAX_NAMES) return undefined;
    const name = known ?? new Name(text);
    if (known === undefined) {
      this.#names.set(text, name);
      this.#ask(name);
    }
    name.listeners.add(onChange);
    return {
      get addresses() {
        return name.addresses;
      },
      close: () => {
        name.listeners.delete(onChange);
        if (name.listeners.size === 0) this.#forget(name);
      },
    };
  }

  close(): void {
    for (const name of [...this.#names.values()]) this.#forget(name);
  }

  #forget(name: Name): void {
    if (this.#names.get(name.text) === name) this.#names.delete(name.text);
    name.cancel();
    const place = this.#queue.indexOf(name);
    if (place >= 0) this.#queue.splice(place, 1);
  }

  #ask(name: Name): void {
    this.#queue.push(name);
    this.#next();
  }

  #next(): void {
    while (this.#asking < PARALLEL_LOOKUPS) {
      const name = this.#queue.shift();
      if (name === undefined) return;
      this.#asking++;
      void this.#answer(name).finally(() => {
        this.#asking--;
        this.#next();
      });
    }
  }

  async #answer(name: Name): Promise<void> {
    let againMs: number;
    try {
      name.use(await this.#resolve(name.text));
      againMs = jittered(REFRESH_MS, JITTER);
    } catch {
      againMs = Math.max(MIN_RETRY_MS, name.backoff.nextMs());
    }
    if (this.#names.get(name.text) === name) name.cancel = this.#clock.after(againMs, () => this.#ask(name));
  }
}

class Name {
  readonly text: string;
  readonly backoff = new Backoff(RETRY);
  readonly listeners = new Set<() => void>();
  addresses: readonly string[] | undefined;
  cancel = () => {};

  constructor(text: string) {
    this.text = text;
  }

  use(answer: readonly string[]): void {
    this.backoff.reset();
    const addresses = [...new Set(answer)].sort().slice(0, MAX_ADDRESSES);
    if (this.addresses?.join() === addresses.join()) return;
    this.addresses = addresses;
    for (const listener of [...this.listeners]) listener();
  }
}

async function resolveBySystem(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}
