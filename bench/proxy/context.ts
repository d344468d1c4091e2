import type { Outcome } from "../harness/results.ts";
import type { Contender } from "./contender.ts";
import type { BenchMesh } from "./mesh.ts";

/** What every scenario has at hand. */
export interface BenchContext {
  readonly mesh: BenchMesh;
  /** The mesh is the first. */
  readonly contenders: readonly Contender[];
  readonly backendPort: number;
  /** For files that go with the bench. */
  readonly workDir: string;
  /** The processor of load generator and backend. */
  readonly loadCpu: number;
  readonly rounds: number;
  /** Of one measurement. */
  readonly seconds: number;
}

/** One thing to measure. */
export interface Scenario {
  readonly name: string;
  /** Half a line for people. */
  readonly about: string;
  /** Prints its table. */
  run(context: BenchContext): Promise<Outcome>;
}

/** Contenders are stopped after the scenario, however it ends. */
export async function withContenders<T>(contenders: readonly Contender[], run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } finally {
    for (const contender of contenders) await contender.stop();
  }
}
