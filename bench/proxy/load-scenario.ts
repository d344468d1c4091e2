import type { Bound, Verdict } from "../harness/goal.ts";
import { type LoadTarget, warmUp } from "../harness/load.ts";
import { type Figures, measure, summarize } from "../harness/measure.ts";
import type { Outcome } from "../harness/results.ts";
import { median, roundByRound, withSpread } from "../harness/statistics.ts";
import { printTable } from "../harness/table.ts";
import type { DataPlane } from "./contender.ts";
import { type BenchContext, type Scenario, withContenders } from "./context.ts";
import { hostOf, type Work } from "./work.ts";

/** The contender whose figures are 1. */
export const REFERENCE = "haproxy";

export interface LoadScenario {
  readonly name: string;
  readonly about: string;
  readonly work: Work;
  /** Default 64. */
  readonly connections?: number;
  /** Default `/`. With the work's routes, `{}` stands for the number of each. */
  readonly path?: string;
  /** Size of the bodies, one way or the other, where it is the point: default 0. */
  readonly bodyBytes?: number;
  /** Whether requests carry the body, not answers. */
  readonly isUpload?: boolean;
  /** Of processor time a request, to the reference's. */
  readonly cpuGoal?: Bound;
  /** Of bytes a second, to the reference's. */
  readonly throughputGoal?: Bound;
  /** Of processor time a request, to Envoy's, where it takes part. */
  readonly envoyGoal?: Bound;
}

type Runs = ReadonlyMap<string, readonly Figures[]>;

/** Below this, bytes a second say nothing. */
const MIN_THROUGHPUT_BYTES = 16 * 1024;
const MB = 1e6;

/** All contenders under full load, in turns, so that what slows the machine down slows every one of them. */
export function loadScenario(scenario: LoadScenario): Scenario {
  const { name, about } = scenario;
  return {
    name,
    about,
    run: (context) =>
      withContenders(context.contenders, async () => {
        const runs = await runInTurns(scenario, context);
        printRuns(scenario, runs);
        return outcomeOf(scenario, runs);
      }),
  };
}

async function runInTurns(scenario: LoadScenario, context: BenchContext): Promise<Runs> {
  const { contenders, rounds, seconds, loadCpu } = context;
  const { work, connections = 64, path = "/", bodyBytes = 0, isUpload = false } = scenario;
  const candidates: { name: string; plane: DataPlane; target: LoadTarget; figures: Figures[] }[] = [];
  for (const contender of contenders) {
    const plane = await contender.start(work);
    const { port } = plane;
    const uploadBytes = isUpload ? bodyBytes : 0;
    const target = { port, host: hostOf(work), path, paths: Math.max(1, work.routes), uploadBytes, connections };
    candidates.push({ name: contender.name, plane, target, figures: [] });
  }
  for (const { target } of candidates) await warmUp(target, loadCpu);
  for (let round = 1; round <= rounds; round++) {
    for (const { plane, target, figures } of candidates) figures.push(await measure(plane, target, seconds, loadCpu));
    const shown = candidates.map(({ name, figures }) => `${name} ${figures.at(-1)?.cpuUsPerRequest.toFixed(1)} us`);
    console.log(`${scenario.name}, round ${round} of ${rounds}: ${shown.join(", ")}`);
  }
  return new Map(candidates.map(({ name, figures }) => [name, figures]));
}

function printRuns(scenario: LoadScenario, runs: Runs): void {
  const { bodyBytes = 0, work } = scenario;
  const columns: [title: string, of: (figures: Figures) => number, digits: number][] = [
    [work.hops === 1 ? "CPU us/request" : "CPU us/request and hop", (each) => each.cpuUsPerRequest, 1],
    ["requests/s", (each) => each.requestsPerSecond, 0],
    ["p50 ms", (each) => each.p50Ms, 2],
    ["p99 ms", (each) => each.p99Ms, 2],
  ];
  if (bodyBytes >= MIN_THROUGHPUT_BYTES)
    columns.push(
      ["MB/s", (each) => (each.requestsPerSecond * bodyBytes) / MB, 0],
      ["CPU us/MB", (each) => each.cpuUsPerRequest / (bodyBytes / MB), 0],
    );
  const rows = [...runs].map(([contender, figures]) => [
    contender,
    ...columns.map(([, of, digits]) => withSpread(figures.map(of), digits)),
    String(figures.reduce((sum, { errors }) => sum + errors, 0)),
    withSpread(cpuRatios(runs, contender, REFERENCE), 2),
    withSpread(rateRatios(runs, contender, REFERENCE), 2),
  ]);
  const header = ["", ...columns.map(([title]) => title), "errors", `CPU / ${REFERENCE}`, `rate / ${REFERENCE}`];
  const rounds = [...runs.values()][0]?.length ?? 0;
  printTable(`${scenario.name}: ${scenario.about} (${rounds} runs each; median, least..most)`, header, rows);
}

function outcomeOf(scenario: LoadScenario, runs: Runs): Outcome {
  const { name, bodyBytes = 0, cpuGoal, throughputGoal, envoyGoal } = scenario;
  const verdicts: Verdict[] = [];
  const add = (figure: string, ratios: readonly number[], bound: Bound | undefined) => {
    if (ratios.length === 0) return;
    const verdict = { scenario: name, figure, value: median(ratios), digits: 2 };
    verdicts.push(bound === undefined ? verdict : { ...verdict, bound });
  };
  add(`CPU / ${REFERENCE}`, cpuRatios(runs, "lateen", REFERENCE), cpuGoal);
  add("CPU / envoy", cpuRatios(runs, "lateen", "envoy"), envoyGoal);
  if (bodyBytes >= MIN_THROUGHPUT_BYTES)
    add(`bytes/s / ${REFERENCE}`, rateRatios(runs, "lateen", REFERENCE), throughputGoal);
  return {
    name,
    results: Object.fromEntries([...runs].map(([contender, figures]) => [contender, summarize(figures)])),
    verdicts,
  };
}

function cpuRatios(runs: Runs, contender: string, reference: string): number[] {
  return ratios(runs, contender, reference, (figures) => figures.cpuUsPerRequest);
}

function rateRatios(runs: Runs, contender: string, reference: string): number[] {
  return ratios(runs, contender, reference, (figures) => figures.requestsPerSecond);
}

function ratios(runs: Runs, contender: string, reference: string, of: (figures: Figures) => number): number[] {
  const values = (name: string) => (runs.get(name) ?? []).map(of);
  return roundByRound(values(contender), values(reference), (value, other) => value / other).filter(Number.isFinite);
}
