import { type Clock, errorMessage } from "../../../shared/base/index.ts";
import type { FollowedKey, FollowedTable } from "../../../shared/bus/index.ts";
import type { ServiceName } from "../../../shared/model/index.ts";
import { HostsConfig, tableKey } from "../../../shared/wire/index.ts";
import { HostTable } from "../route/host-table.ts";
import { HOLD_MS } from "./directory.ts";

const MAX_HOSTS = 10_000;

/**
 * The hosts that mean a service to one namespace although they are not its name. Until the bus has said which those
 * are, or that there are none, nothing is decided about a host that is no service's name.
 */
export class HostBook {
  readonly #follow: FollowedKey;
  readonly #clock: Clock;
  #table: HostTable<ServiceName> | undefined;

  constructor(hosts: FollowedTable, namespace: string, clock: Clock) {
    this.#clock = clock;
    this.#follow = hosts.follow(tableKey(namespace));
    this.#follow.onChange(() => this.#rebuild());
    this.#rebuild();
  }

  /** At once when it is known; a promise, of at most HOLD_MS, while it is not: then undefined. */
  table(): HostTable<ServiceName> | Promise<HostTable<ServiceName> | undefined> {
    return this.#table ?? this.#hold();
  }

  close(): void {
    this.#follow.close();
  }

  #rebuild(): void {
    const { value, epoch, sequence, state } = this.#follow;
    if (value === undefined) {
      if (state === "absent") this.#table = new HostTable();
      return;
    }
    try {
      const { hosts, revision } = HostsConfig.decode(value);
      if (hosts.length > MAX_HOSTS) throw new Error(`${hosts.length} hosts; at most ${MAX_HOSTS}`);
      this.#table = new HostTable(hosts.map(({ pattern, namespace, service }) => [pattern, { namespace, service }]));
      this.#follow.setApplied({ epoch, sequence, revision });
    } catch (error) {
      this.#follow.setApplied({ ...this.#follow.applied, reason: errorMessage(error) });
    }
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
