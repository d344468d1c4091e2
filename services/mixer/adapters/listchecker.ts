import { createHash } from "node:crypto";
import { parse as parseYaml } from "yaml";
import { type Clock, errorMessage, UnavailableError } from "../../../shared/base/index.ts";
import type { Logger } from "../../../shared/obs/index.ts";
import type { ListCheckerParams } from "../../../shared/policy/index.ts";
import { formatValue } from "../values.ts";
import type { CheckInstance, CheckOutcome, Handler } from "./adapter.ts";
import { buildEntryList, type EntryList } from "./list-entries.ts";

const MAX_LIST_BYTES = 4 * 1024 * 1024;
const FETCH_TIMEOUT_MS = 10_000;

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;

/**
 * Looks values up in a list: entries of its own and, where a provider is named, what that serves. The fetched list is
 * kept when a refresh fails, until it is older than `ttl`; without any list there is no answer. Checks that come before
 * the first list wait for it (their callers' deadlines bound that): a whitelist that is changed must not stand open.
 */
export class ListCheckerHandler implements Handler {
  readonly name: string;
  readonly #params: ListCheckerParams;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #cancel: (() => void) | undefined;
  #list: EntryList | undefined;
  #digest = "";
  #fetchedMs = 0;
  #fetching = false;
  /** The first fetch, while it lasts. */
  #first: Promise<void> | undefined;

  constructor(name: string, params: ListCheckerParams, clock: Clock, log: Logger) {
    this.name = name;
    this.#params = params;
    this.#clock = clock;
    this.#log = log;
    if (params.providerUrl === undefined) {
      this.#list = this.#build([]);
    } else {
      const { providerUrl } = params;
      this.#first = this.#refresh(providerUrl).finally(() => {
        this.#first = undefined;
      });
      this.#cancel = clock.every(params.refreshIntervalMs, () => void this.#refresh(providerUrl));
    }
  }

  check(instance: CheckInstance): CheckOutcome | Promise<CheckOutcome> {
    return this.#first === undefined ? this.#judge(instance) : this.#first.then(() => this.#judge(instance));
  }

  close(): void {
    this.#cancel?.();
    this.#stop.abort();
  }

  #judge(instance: CheckInstance): CheckOutcome {
    if (instance.template !== "listentry") return this.#outcome(0, "");
    const { blacklist, providerUrl, ttlMs } = this.#params;
    if (providerUrl !== undefined && this.#clock.monotonic() - this.#fetchedMs > ttlMs) this.#list = undefined;
    if (this.#list === undefined) throw new UnavailableError(`${this.name} has no list`);
    const found = this.#list.has(instance.value);
    const shown = formatValue(instance.value);
    if (found === undefined) return this.#outcome(INVALID_ARGUMENT, `${shown} is not a valid IP address`);
    if (blacklist && found) return this.#outcome(PERMISSION_DENIED, `${shown} is blacklisted`);
    if (!blacklist && !found) return this.#outcome(NOT_FOUND, `${shown} is not whitelisted`);
    return this.#outcome(0, "");
  }

  #outcome(code: number, message: string): CheckOutcome {
    return { code, message, validMs: this.#params.cachingIntervalMs, validUses: this.#params.cachingUseCount };
  }

  #build(fetched: readonly string[]): EntryList {
    const { entryType, overrides } = this.#params;
    return buildEntryList(entryType, [...fetched, ...overrides], (entry) =>
      this.#log.warn({ handler: this.name, entry: entry.slice(0, 100) }, "list entry left out: not readable"),
    );
  }

  async #refresh(url: string): Promise<void> {
    if (this.#fetching) return;
    this.#fetching = true;
    try {
      const text = await this.#fetch(url);
      const digest = createHash("sha256").update(text).digest("hex");
      if (digest !== this.#digest || this.#list === undefined) this.#list = this.#build(this.#parse(text));
      this.#digest = digest;
      this.#fetchedMs = this.#clock.monotonic();
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#log.warn({ handler: this.name, reason: errorMessage(error) }, "list not fetched");
    } finally {
      this.#fetching = false;
    }
  }

  async #fetch(url: string): Promise<string> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
    const response = await fetch(url, { signal });
    if (!response.ok || response.body === null) throw new UnavailableError(`provider answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body) {
      bytes += chunk.length;
      if (bytes > MAX_LIST_BYTES) throw new UnavailableError(`list is longer than ${MAX_LIST_BYTES} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  #parse(text: string): string[] {
    if (this.#params.entryType !== "IP_ADDRESSES") return text.split(/\r?\n/).filter((line) => line !== "");
    const document: unknown = parseYaml(text);
    const entries = typeof document === "object" && document !== null ? Reflect.get(document, "whitelist") : undefined;
    if (!Array.isArray(entries)) throw new UnavailableError("the provider's list has no `whitelist`");
    return entries.map(String);
  }
}
