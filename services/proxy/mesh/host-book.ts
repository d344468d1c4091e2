import { type Clock, errorMessage } from "../../../shared/base/index.ts";
import type { FollowedKey, FollowedTable } from "../../../shared/bus/index.ts";
import type { ServiceName } from "../../../shared/model/index.ts";
import { HostsConfig, type NamedHost, tableKey } from "../../../shared/wire/index.ts";
import { HostTable } from "../route/host-table.ts";
import { HOLD_MS } from "./directory.ts";
import type { EgressScope } from "./egress-scope.ts";

const MAX_HOSTS = 10_000;

/**
 * The hosts that mean a service to one namespace although they are not its name. Until the bus has said which those
 * are, or that there are none, nothing is decided about a host that is no service's name.
 */
export class HostBook {
  readonly #follow: FollowedKey;
  readonly #clock: Clock;
  /** All of them; undefined: not known yet. */
  #hosts: readonly NamedHost[] | undefined;
  /** Those in scope. */
  #table: HostTable<ServiceName> | undefined;
  #scope: EgressScope | undefined;

  constructor(hosts: FollowedTable, namespace: string, clock: Clock) {
    this.#clock = clock;
    this.#follow = hosts.follow(tableKey(namespace));
    this.#follow.onChange(() => this.#rebuild());
    this.#rebuild();
  }

  /**
   * Those in scope (undefined: all), made anew when it is another scope than before. At once when they are known; a
   * promise, of at most HOLD_MS, while they are not: then undefined.
   */
  table(scope?: EgressScope): HostTable<ServiceName> | Promise<HostTable<ServiceName> | undefined> {
    if (scope !== this.#scope) {
      this.#scope = scope;
      if (this.#hosts !== undefined) this.#use(this.#hosts);
    }
    return this.#table ?? this.#hold();
  }

  close(): void {
    this.#follow.close();
  }

  #rebuild(): void {
    const { value, epoch, sequence, state } = this.#follow;
    if (value === undefined) {
      if (state === "absent") this.#use([]);
      return;
    }
    try {
      const { hosts, revision } = HostsConfig.decode(value);
      if (hosts.length > MAX_HOSTS) throw new Error(`${hosts.length} hosts; at most ${MAX_HOSTS}`);
      this.#use(hosts);
      this.#follow.setApplied({ epoch, sequence, revision });
    } catch (error) {
      this.#follow.setApplied({ ...this.#follow.applied, reason: errorMessage(error) });
    }
  }

  /** Throws on a pattern that cannot be read. */
  #use(hosts: readonly NamedHost[]): void {
    this.#table = hostsInScope(hosts, this.#scope);
    this.#hosts = hosts;
  }

  #hold(): Promise<HostTable<ServiceName> | undefined> {
    return new Promise((resolve) => {
      const settle = (): void => {
        cancel();
        stop();
        resolve(this.#table);
      };
      const cancel = this.#clock.after(HOLD_MS, settle);
      const stop = this.#follow.onChange(() => {
        if (this.#table !== undefined) settle();
      });
    });
  }
}

/** What the hosts mean to who has this scope; undefined: to who sees all. Throws on a pattern that cannot be read. */
export function hostsInScope(hosts: readonly NamedHost[], scope: EgressScope | undefined): HostTable<ServiceName> {
  const visible = scope === undefined ? hosts : hosts.filter((host) => scope.admitsService(host));
  return new HostTable(visible.map(({ pattern, namespace, service }) => [pattern, { namespace, service }]));
}
