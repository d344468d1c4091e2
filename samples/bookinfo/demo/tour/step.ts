import type { ProcessGroup } from "../processes.ts";
import type { Topology } from "../topology.ts";
import type { GatewayClient } from "./gateway-client.ts";
import type { MeshClient } from "./mesh-client.ts";

export interface TourContext {
  readonly topology: Topology;
  readonly logDir: string;
  readonly processes: ProcessGroup;
  readonly mesh: MeshClient;
  readonly gateway: GatewayClient;
}

export interface TourStep {
  readonly title: string;
  /** Resolves to the figures seen; rejects when something does not hold. Rules it applied are removed after it. */
  run(context: TourContext): Promise<string>;
}

/** Throws unless it holds. */
export function expect(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Error(text);
}

/** Calls until it resolves to something; throws the last error, or `what`, after the deadline (15 s). */
export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined>,
  { withinMs = 15_000, everyMs = 50 }: { withinMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await attempt();
      if (value !== undefined) return value;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${withinMs / 1000} s: ${what}`, { cause: failure });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Runs `count` calls, at most `concurrency` at a time; results in order. */
export async function repeat<T>(count: number, concurrency: number, call: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      results[index] = await call(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  return results;
}

/** How often each value occurs. */
export function tally(values: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** `{v1: 20, v2: 20}` as `v1 20, v2 20`. */
export function showTally(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
