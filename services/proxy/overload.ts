import { getHeapStatistics } from "node:v8";
import type { Clock } from "../../shared/base/index.ts";

/**
 * Whether this proxy has more to do than it can: connections from clients, or memory that V8 is about to run out of,
 * beyond which the process dies with all its requests. Past a limit every new request is answered 503 at once, which
 * costs next to nothing, until both are well below their limits again: a limit that is crossed to and fro with every
 * request would let everyone wait a little for nothing.
 */
export interface OverloadOptions {
  /** Of V8's heap limit, buffers included. */
  readonly maxHeapPercent: number;
  readonly maxConnections: number;
  readonly clock: Clock;
  /** Open connections from clients. */
  connections(): number;
  /** Of the heap limit, for tests. */
  heapPercent?(): number;
}

const SAMPLE_MS = 250;
/** Of the limit: where shedding ends. */
const RELIEF = 0.95;

export class Overload {
  readonly #options: OverloadOptions;
  readonly #heapPercent: () => number;
  readonly #stop: () => void;
  #active = false;

  constructor(options: OverloadOptions) {
    this.#options = options;
    this.#heapPercent = options.heapPercent ?? heapPercent;
    this.#stop = options.clock.every(SAMPLE_MS, () => this.#sample());
  }

  /** Whether requests are to be refused, as of the last sample. */
  get active(): boolean {
    return this.#active;
  }

  close(): void {
    this.#stop();
  }

  #sample(): void {
    const { maxHeapPercent, maxConnections, connections } = this.#options;
    const factor = this.#active ? RELIEF : 1;
    this.#active = this.#heapPercent() > maxHeapPercent * factor || connections() > maxConnections * factor;
  }
}

function heapPercent(): number {
  const { used_heap_size: used, external_memory: external, heap_size_limit: limit } = getHeapStatistics();
  return ((used + external) * 100) / limit;
}
