import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Verdict } from "../harness/goal.ts";
import { type LoadReport, type LoadTarget, loadCommand } from "../harness/load.ts";
import { measuring, summarize } from "../harness/measure.ts";
import { residentBytes } from "../harness/process-usage.ts";
import type { Outcome } from "../harness/results.ts";
import { printTable } from "../harness/table.ts";
import { type BenchContext, type Scenario, withContenders } from "./context.ts";
import { hostOf, WORK } from "./work.ts";

const CONNECTIONS = 64;
const STEP_REQUESTS = 100_000;
/** The first step warms up: what a process grows into at once is not growth. */
const STEPS = 11;
const MB = 1e6;
const GOAL_MB = 120;
const STRETCH_MB = 90;
/** What a collector that is not in a hurry leaves lying about. */
const NOISE_MB = 15;

interface Sample {
  readonly requests: number;
  readonly bytes: number;
}

/** What a sidecar takes, and whether it takes more with every request, over a million of them. */
export const MEMORY: Scenario = {
  name: "memory",
  about: `resident memory of one sidecar over ${((STEPS - 1) * STEP_REQUESTS) / 1e6} million requests, ${CONNECTIONS} connections`,
  run: (context) => withContenders([context.mesh], () => run(context)),
};

async function run({ mesh, loadCpu }: BenchContext): Promise<Outcome> {
  const plane = await mesh.start(WORK.plain);
  const pid = plane.pids[0] ?? 0;
  const samples: Sample[] = [];
  const shared = { path: "/", paths: 1, uploadBytes: 0, connections: CONNECTIONS };
  const target = { ...shared, port: plane.port, host: hostOf(WORK.plain) };
  const { figures } = await measuring(plane, () =>
    loadInSteps(target, loadCpu, (requests) => {
      samples.push({ requests, bytes: residentBytes(pid) });
      console.log(`memory, ${requests} requests: ${toMb(samples.at(-1))} MB`);
    }),
  );
  const warm = samples[0]?.bytes ?? 0;
  const most = Math.max(...samples.map(({ bytes }) => bytes));
  const growth = growthPerMillion(samples.slice(1));
  printTable(
    `memory: ${MEMORY.about}`,
    ["requests", "RSS MB"],
    samples.map((sample) => [String(sample.requests), toMb(sample)]),
  );
  console.log(
    `  growth: ${((last(samples) - warm) / MB).toFixed(1)} MB since warm-up; trend ${growth.toFixed(1)} MB a million requests`,
  );
  return {
    name: "memory",
    results: { lateen: summarize([figures]) },
    details: { samples, growthBytes: last(samples) - warm, trendMbPerMillion: Number(growth.toFixed(2)) },
    verdicts: [
      verdict("most MB at 64 connections", most / MB, GOAL_MB, STRETCH_MB),
      verdict("trend, MB a million requests", growth, NOISE_MB),
    ],
  };
}

/** One run over the same connections; `onStep` after each STEP_REQUESTS. */
function loadInSteps(target: LoadTarget, cpu: number, onStep: (requests: number) => void): Promise<LoadReport> {
  const total = String(STEPS * STEP_REQUESTS);
  const [command, args] = loadCommand(target, cpu, ["--requests", total, "--progress-every", String(STEP_REQUESTS)]);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let report: LoadReport | undefined;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = JSON.parse(line) as { progress: number } | LoadReport;
      if ("progress" in message) onStep(message.progress);
      else report = message;
    });
    child.once("error", reject);
    child.once("close", () => {
      if (report === undefined) reject(new Error("the load generator ended without a report"));
      else resolve(report);
    });
  });
}

/** The slope of the straight line nearest to the samples, in MB: one late collection is not a trend. */
function growthPerMillion(samples: readonly Sample[]): number {
  const meanOf = (of: (sample: Sample) => number) => samples.reduce((sum, each) => sum + of(each), 0) / samples.length;
  const [requests, bytes] = [meanOf((each) => each.requests), meanOf((each) => each.bytes)];
  const covariance = meanOf((each) => (each.requests - requests) * (each.bytes - bytes));
  const variance = meanOf((each) => (each.requests - requests) ** 2);
  return variance === 0 ? 0 : covariance / variance;
}

function last(samples: readonly Sample[]): number {
  return samples.at(-1)?.bytes ?? 0;
}

function toMb(sample: Sample | undefined): string {
  return ((sample?.bytes ?? 0) / MB).toFixed(1);
}

function verdict(figure: string, value: number, goal: number, stretch?: number): Verdict {
  const bound = { better: "less", goal } as const;
  return {
    scenario: "memory",
    figure,
    value,
    digits: 1,
    bound: stretch === undefined ? bound : { ...bound, stretch },
  };
}
