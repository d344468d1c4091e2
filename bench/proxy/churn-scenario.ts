import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionWatch } from "../harness/connection-watch.ts";
import { closedLoop, type LoadReport, type LoadTarget, warmUp } from "../harness/load.ts";
import { measuring, summarize } from "../harness/measure.ts";
import type { Outcome } from "../harness/results.ts";
import { printTable } from "../harness/table.ts";
import { wrkLoop, wrkVersion } from "../harness/wrk.ts";
import { type BenchContext, type Scenario, withContenders } from "./context.ts";
import type { BenchMesh } from "./mesh.ts";
import { changedDefault } from "./mesh-rules.ts";
import { hostOf, WORK } from "./work.ts";

const WORK_UNDER_CHANGE = WORK.plain;
const CONNECTIONS = 512;
const SECONDS = 20;
const CHANGES_PER_SECOND = 20;
/** At both ends, while connections are opened and closed on purpose, nobody counts them. */
const MARGIN_MS = 1_500;
const IN_FORCE_MS = 5_000;
const ASK_EVERY_MS = 20;

/** What became of the changes. */
interface Changes {
  readonly applied: number;
  readonly perSecond: number;
  /** Distinct revisions that the sidecar said to be in force. */
  readonly seenInForce: number;
  /** Whether the last one came into force. */
  readonly isLastInForce: boolean;
}

/** Configuration that changes all the time under load: no request fails for it, and no connection is closed. */
export const CHURN: Scenario = {
  name: "churn",
  about: `${CONNECTIONS} connections while the rule of every request changes ${CHANGES_PER_SECOND} times a second`,
  run: (context) => withContenders([context.mesh], () => run(context)),
};

async function run({ mesh, loadCpu, workDir }: BenchContext): Promise<Outcome> {
  const plane = await mesh.start(WORK_UNDER_CHANGE);
  const shared = { path: "/", paths: 1, uploadBytes: 0, connections: CONNECTIONS };
  const target: LoadTarget = { ...shared, port: plane.port, host: hostOf(WORK_UNDER_CHANGE) };
  await warmUp(target, loadCpu);
  const wrk = wrkVersion();
  const load = (): Promise<LoadReport & { readonly kinds?: string }> =>
    wrk === undefined ? closedLoop(target, SECONDS, loadCpu) : wrkLoop(target, SECONDS, loadCpu, workDir);
  const [{ figures, report }, changes, watched] = await Promise.all([
    measuring(plane, load),
    change(mesh),
    watchConnections(plane.port),
  ]);
  const { requests, kinds } = report;
  const failures = { errors: figures.errors, closed: watched.closed, lost: changes.isLastInForce ? 0 : 1 };
  const header = ["load", "requests", "errors", "open", "closed", "changes", "changes/s", "seen in force", "last one"];
  const row = [wrk ?? "own", requests, failures.errors, watched.open, watched.closed, changes.applied];
  const rest = [changes.perSecond.toFixed(1), changes.seenInForce, changes.isLastInForce ? "in force" : "LOST"];
  printTable(`churn: ${CHURN.about}`, header, [[...row, ...rest].map(String)]);
  if (failures.errors > 0 && kinds !== undefined) console.log(`  errors: ${kinds}`);
  const errors = failures.errors + failures.closed + failures.lost;
  const none = { better: "less", goal: 0 } as const;
  return {
    name: "churn",
    results: { lateen: { ...summarize([figures]), errors } },
    details: { load: wrk ?? "own", requests, changes, connections: watched },
    verdicts: [
      { scenario: "churn", figure: "errors", value: failures.errors, digits: 0, bound: none },
      { scenario: "churn", figure: "closed connections", value: failures.closed, digits: 0, bound: none },
      {
        scenario: "churn",
        figure: "changes/s",
        value: changes.perSecond,
        digits: 1,
        bound: { better: "more", goal: 0.95 * CHANGES_PER_SECOND },
      },
    ],
  };
}

/** Changes the rule at fixed times, and asks the sidecar meanwhile what it routes by. */
async function change(mesh: BenchMesh): Promise<Changes> {
  const total = SECONDS * CHANGES_PER_SECOND;
  const startedMs = performance.now();
  const seen = new Set<number>();
  let newest = 0;
  let isChanging = true;
  const apply = async () => {
    for (let turn = 0; turn < total; turn++) {
      await sleep(startedMs + (turn * 1000) / CHANGES_PER_SECOND - performance.now());
      newest = await mesh.apply(changedDefault(WORK_UNDER_CHANGE, turn));
    }
    isChanging = false;
  };
  const ask = async () => {
    for (let untilMs = Number.POSITIVE_INFINITY; performance.now() < untilMs; await sleep(ASK_EVERY_MS)) {
      const revision = await mesh.revisionInForce(WORK_UNDER_CHANGE);
      if (revision >= 0) seen.add(revision);
      if (isChanging) continue;
      if (revision >= newest) return true;
      untilMs = Math.min(untilMs, performance.now() + IN_FORCE_MS);
    }
    return false;
  };
  const timed = async () => {
    await apply();
    return total / ((performance.now() - startedMs) / 1000);
  };
  const [perSecond, isLastInForce] = await Promise.all([timed(), ask()]);
  return { applied: total, perSecond, seenInForce: seen.size, isLastInForce };
}

async function watchConnections(port: number): Promise<ReturnType<ConnectionWatch["stop"]>> {
  await sleep(MARGIN_MS);
  const watch = new ConnectionWatch(port);
  await sleep(SECONDS * 1000 - 2 * MARGIN_MS);
  return watch.stop();
}
