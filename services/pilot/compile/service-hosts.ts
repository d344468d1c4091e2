import { fits, isWildcard } from "./host-patterns.ts";
import type { ServiceSource } from "./services.ts";
import { StringIndex } from "./string-index.ts";

/**
 * The services that a wildcard stands for. They are kept by the endings of their hosts, so that a rule for the services of one
 * namespace costs nothing for those of all others. Made when it is first asked, and told of every change from then on.
 */
export class ServiceHosts {
  readonly #services: ServiceSource;
  readonly #byEnding = new StringIndex();
  readonly #hosts = new Map<string, string>();
  #isMade = false;

  constructor(services: ServiceSource) {
    this.#services = services;
  }

  /** A service came, went or changed. */
  changed(key: string): void {
    if (this.#isMade) this.#set(key, this.#services.service(key)?.host);
  }

  /** Keys in table `service`. */
  *fitting(pattern: string): Generator<string> {
    if (!this.#isMade) this.#make();
    const ending = pattern.slice(1);
    // `*-api.example.com` is looked for among all of `.example.com`.
    const kept = ending === "" ? ending : ending.slice(Math.max(0, ending.indexOf(".")));
    for (const key of this.#byEnding.get(kept)) if (fits(pattern, this.#hosts.get(key) ?? "")) yield key;
  }

  #make(): void {
    this.#isMade = true;
    for (const { key, host } of this.#services.services()) this.#set(key, host);
  }

  #set(key: string, host: string | undefined): void {
    const before = this.#hosts.get(key);
    if (before === host) return;
    if (before !== undefined) {
      for (const ending of endingsOf(before)) this.#byEnding.remove(ending, key);
      this.#hosts.delete(key);
    }
    if (host === undefined) return;
    for (const ending of endingsOf(host)) this.#byEnding.add(ending, key);
    this.#hosts.set(key, host);
  }
}

/** From the longest that begins with a dot to the empty one. */
function* endingsOf(host: string): Generator<string> {
  const from = isWildcard(host) ? 1 : 0;
  for (let dot = host.indexOf(".", from); dot >= 0; dot = host.indexOf(".", dot + 1)) yield host.slice(dot);
  yield "";
}
