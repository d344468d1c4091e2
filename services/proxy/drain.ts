import { type Clock, sleep } from "../../shared/base/index.ts";
import type { DataPlane } from "./plane/data-plane.ts";
import type { Registrar } from "./registration.ts";

/** How often a draining proxy looks whether it is gone from the endpoints. */
const LOOK_MS = 100;

export interface DrainOptions {
  readonly registrar: Registrar;
  readonly plane: Pick<DataPlane, "announceClose">;
  /** Whether callers still find the proxy. */
  isListed(): boolean;
  readonly clock: Clock;
  readonly minMs: number;
  readonly maxMs: number;
}

/** Leaves the mesh in the order in which nobody loses a request: out of the registry first, the sockets last. */
export class Drain {
  readonly #options: DrainOptions;
  #left: Promise<void> | undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  get begun(): boolean {
    return this.#left !== undefined;
  }

  /** Leaves the registry, and serves on until callers have seen that. Once begun, it is the same drain for everyone. */
  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    const { registrar, plane, isListed, clock, minMs, maxMs } = this.#options;
    await registrar.deregister();
    plane.announceClose();
    const started = clock.monotonic();
    const elapsed = (): number => clock.monotonic() - started;
    while (elapsed() < minMs || (isListed() && elapsed() < maxMs)) await sleep(clock, LOOK_MS);
  }
}
