import { InternalError } from "./errors.ts";

/** The states of a process part, in order; `failed` ends any of them. */
export type LifecycleState = "new" | "starting" | "ready" | "draining" | "stopped" | "failed";

const NEXT: Readonly<Record<LifecycleState, readonly LifecycleState[]>> = {
  new: ["starting", "stopped"],
  starting: ["ready", "draining", "stopped", "failed"],
  ready: ["draining", "failed"],
  draining: ["stopped", "failed"],
  stopped: [],
  failed: [],
};

/** Holds the state of one part and refuses a step that the order does not know. */
export class Lifecycle {
  #state: LifecycleState = "new";

  get state(): LifecycleState {
    return this.#state;
  }

  to(next: LifecycleState): void {
    if (!NEXT[this.#state].includes(next)) {
      throw new InternalError(`lifecycle: ${this.#state} cannot become ${next}`);
    }
    this.#state = next;
  }
}

/** What every component's build function returns. */
export interface App {
  start(): Promise<AppPorts>;
  /** Drains: stops accepting, finishes what is in flight up to its deadline, closes everything. */
  stop(): Promise<void>;
}

/** Name -> bound port, as printed in the ready line. */
export type AppPorts = Readonly<Record<string, number>>;
