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
const STEPS = 40;
/** What a process grows into in its first million is not growth. */
const WARM_UP_STEPS = 10;
const MB = 1e6;
const GOAL_MB = 120;
const STRETCH_MB = 90;
const GROWTH_GOAL_MB = 5;

interface Sample {
  readonly requests: number;
  readonly bytes: number;
}

/** What a sidecar takes, and whether it takes more with every request, over millions of them. */
export const MEMORY: Scenario = {
  name: "memory",
  about: `resident memory of one sidecar over ${(STEPS * STEP_REQUESTS) / 1e6} million requests, ${CONNECTIONS} connections`,
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
  const most = Math.max(...samples.map(({ bytes }) => bytes));
  const growth = growthBytes(samples.slice(WARM_UP_STEPS));
  printTable(
    `memory: ${MEMORY.about}`,
    ["requests", "RSS MB"],
    samples.map((sample) => [String(sample.requests), toMb(sample)]),
  );
  return {
    name: "memory",
    results: { lateen: summarize([figures]) },
    details: { samples, mostBytes: most, growthBytes: growth },
    verdicts: [
      verdict("most MB at 64 connections", most / MB, { goal: GOAL_MB, stretch: STRETCH_MB }),
      verdict("growth MB after the first million", growth / MB, { goal: GROWTH_GOAL_MB }),
    ],
  };
}

/** One run over the same connections; `onStep` after each STEP_REQUESTS. */
function loadInSteps(target: LoadTarget, cpu: number, onStep: (requests: number) => void): Promise<LoadReport> {
  const total = String(STEPS * STEP_REQUESTS);
  const [command, args] = loadCommand(target, cpu, ["--requests", total, "--progress-every", String(STEP_REQUESTS)]);
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
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

/**
 * By how much the least of the second half is more than that of the first. Between two collections of its old objects,
 * up to a million and a half requests apart, a process grows by some megabytes and then falls back: the question is
 * whether it falls back as far as before.
 */
function growthBytes(samples: readonly Sample[]): number {
  const least = (some: readonly Sample[]) => Math.min(...some.map(({ bytes }) => bytes));
  const middle = samples.length >> 1;
  return least(samples.slice(middle)) - least(samples.slice(0, middle));
}

function toMb(sample: Sample | undefined): string {
  return ((sample?.bytes ?? 0) / MB).toFixed(1);
}

function verdict(figure: string, value: number, limits: { goal: number; stretch?: number }): Verdict {
  return { scenario: "memory", figure, value, digits: 1, bound: { better: "less", ...limits } };
}
