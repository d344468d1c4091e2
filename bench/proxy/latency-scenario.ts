import type { Verdict } from "../harness/goal.ts";
import { type LoadTarget, type OpenLoopReport, openLoop, warmUp } from "../harness/load.ts";
import { type Figures, type Measured, measuring, summarize } from "../harness/measure.ts";
import type { Outcome } from "../harness/results.ts";
import { median, roundByRound, withSpread } from "../harness/statistics.ts";
import { printTable } from "../harness/table.ts";
import { type BenchContext, type Scenario, withContenders } from "./context.ts";
import { hostOf, WORK } from "./work.ts";

const REQUESTS_PER_SECOND = 1000;
const CONNECTIONS = 16;
const ANSWER_BYTES = 1024;
const DIRECT = "direct";
/** In design terms: the latency that the mesh adds. */
const GOALS_MS = { p50Ms: 0.5, p99Ms: 1.5 } as const;
const QUANTILES = ["p50Ms", "p90Ms", "p99Ms"] as const;

type Quantile = (typeof QUANTILES)[number];

interface Way {
  readonly name: string;
  readonly measured: Measured;
  readonly target: LoadTarget;
  readonly figures: Figures[];
  readonly reports: OpenLoopReport[];
}

/** What two proxies with mutual TLS add to a request's time at a moderate, fixed rate; the direct way takes turns with them. */
export const LATENCY: Scenario = {
  name: "latency",
  about: `latency added by two proxies with mutual TLS, ${REQUESTS_PER_SECOND} requests/s over ${CONNECTIONS} connections, 1 KB answers`,
  run: (context) =>
    withContenders(context.contenders, async () => {
      const [direct, ...through] = await waysOf(context);
      for (const { target } of through) await warmUp(target, context.loadCpu);
      for (let round = 1; round <= context.rounds; round++) {
        for (const way of [direct, ...through]) await measureOnce(way, context);
        console.log(`latency, round ${round} of ${context.rounds}`);
      }
      printWays(direct, through);
      return outcomeOf(direct, through);
    }),
};

async function waysOf({ contenders, backendPort }: BenchContext): Promise<[Way, ...Way[]]> {
  const work = WORK.mutualTls;
  const way = (name: string, measured: Measured, port: number): Way => {
    const shared = { path: `/bytes/${ANSWER_BYTES}`, paths: 1, uploadBytes: 0, connections: CONNECTIONS };
    return { name, measured, target: { ...shared, port, host: hostOf(work) }, figures: [], reports: [] };
  };
  const through: Way[] = [];
  for (const contender of contenders) {
    const plane = await contender.start(work);
    through.push(way(contender.name, plane, plane.port));
  }
  return [way(DIRECT, { pids: [], hops: 0 }, backendPort), ...through];
}

async function measureOnce(way: Way, { seconds, loadCpu }: BenchContext): Promise<void> {
  const { figures, report } = await measuring(way.measured, () =>
    openLoop(way.target, REQUESTS_PER_SECOND, seconds, loadCpu),
  );
  way.figures.push(figures);
  way.reports.push(report);
}

function valuesOf({ figures }: Way, quantile: Quantile): number[] {
  return figures.map((each) => each[quantile]);
}

function addedMs(way: Way, direct: Way, quantile: Quantile): number[] {
  return roundByRound(valuesOf(way, quantile), valuesOf(direct, quantile), (value, without) => value - without);
}

function printWays(direct: Way, through: readonly Way[]): void {
  const rows = [direct, ...through].map((way) => [
    way.name,
    ...QUANTILES.map((quantile) => withSpread(valuesOf(way, quantile), 2)),
    ...QUANTILES.map((quantile) => (way === direct ? "-" : withSpread(addedMs(way, direct, quantile), 2))),
    withSpread(
      way.reports.map(({ lagP99Ms }) => lagP99Ms),
      2,
    ),
    String(way.figures.reduce((sum, { errors }) => sum + errors, 0)),
  ]);
  const header = [
    "",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "added p50",
    "added p90",
    "added p99",
    "generator late p99",
    "errors",
  ];
  printTable(`latency: ${LATENCY.about} (${direct.figures.length} runs each; median, least..most)`, header, rows);
}

function outcomeOf(direct: Way, through: readonly Way[]): Outcome {
  const added = (way: Way, quantile: Quantile) => Number(median(addedMs(way, direct, quantile)).toFixed(3));
  const lateen = through.filter(({ name }) => name === "lateen");
  const verdicts = lateen.flatMap((way) => [
    verdict("added p50 ms", added(way, "p50Ms"), GOALS_MS.p50Ms),
    { scenario: "latency", figure: "added p90 ms", value: added(way, "p90Ms"), digits: 2 },
    verdict("added p99 ms", added(way, "p99Ms"), GOALS_MS.p99Ms),
  ]);
  return {
    name: "latency",
    results: Object.fromEntries([direct, ...through].map(({ name, figures }) => [name, summarize(figures)])),
    details: {
      added: Object.fromEntries(
        through.map((way) => [
          way.name,
          Object.fromEntries(QUANTILES.map((quantile) => [quantile, added(way, quantile)])),
        ]),
      ),
    },
    verdicts,
  };
}

function verdict(figure: string, value: number, goal: number): Verdict {
  return { scenario: "latency", figure, value, digits: 2, bound: { better: "less", goal } };
}
