import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { lateenVersion } from "../../cli/commands/version.ts";
import { freePorts } from "../../samples/bookinfo/demo/ports.ts";
import { ProcessGroup } from "../../samples/bookinfo/demo/processes.ts";
import { type Figures, type LoadTarget, measure, pinned } from "../harness/measure.ts";
import { firstLine, printScenario, writeResults } from "../harness/results.ts";
import { type Contender, haproxy, nginx } from "./contenders.ts";
import { APP_HOST, BenchMesh } from "./mesh.ts";

/*
 * `npm run bench -- proxy`: processor time per proxied request, beside HAProxy and nginx doing the same work. The
 * proxy under test has processor 0 for itself; load and backend share processor 1. Runs take turns, so that what
 * slows the machine down slows every contender down.
 */
const PROXY_CPU = 0;
const LOAD_CPU = 1;
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 1;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "3" } },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

if (!Number.isInteger(rounds) || rounds < 1) fail("--rounds is a whole number of at least 1");
if (!(seconds > 0)) fail("--seconds is a number above 0");
if (process.platform !== "linux" || firstLine("taskset", ["--version"]) === undefined)
  fail("this bench needs Linux with taskset");
if (cpus().length < 2) fail("this bench needs two processors");

interface Candidate {
  readonly name: string;
  readonly pid: number;
  readonly target: LoadTarget;
}

const workDir = mkdtempSync(join(tmpdir(), "lateen-bench-"));
const path = process.env["PATH"] ?? "";
const processes = new ProcessGroup(join(workDir, "log"), path, () => {});
let mesh: BenchMesh | undefined;
const cleanUp = async () => {
  await mesh?.stop();
  await processes.teardown();
  rmSync(workDir, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => void cleanUp().then(() => process.exit(1)));

try {
  const [command, args] = pinned(LOAD_CPU, process.execPath, [
    fileURLToPath(new URL("../harness/backend-main.js", import.meta.url)),
  ]);
  const backend = await processes.start({ name: "backend", kind: "node", command, args, env: {} });
  const backendPort = backend.ports["http"] ?? 0;
  const ports = await freePorts(2);
  const options = { workDir, backendPort, cpu: PROXY_CPU, takePort: () => ports.pop() ?? 0 };
  const others = [haproxy(options), nginx(options)].filter((each): each is Contender => each !== undefined);
  mesh = await BenchMesh.start({ workDir, path, backendPort, cpu: PROXY_CPU, otherCpu: LOAD_CPU });
  const shared = { host: APP_HOST, path: "/", connections: CONNECTIONS };
  const candidates: Candidate[] = [{ name: "lateen", pid: mesh.pid, target: { ...shared, port: mesh.outboundPort } }];
  for (const { name, spec, port } of others) {
    const { pid } = await processes.start(spec);
    candidates.push({ name, pid, target: { ...shared, port } });
  }
  for (const { pid, target } of candidates) await measure(pid, target, WARM_UP_SECONDS, LOAD_CPU);
  const runs: Record<string, Figures[]> = Object.fromEntries(candidates.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const { name, pid, target } of candidates) runs[name]?.push(await measure(pid, target, seconds, LOAD_CPU));
    console.log(
      `round ${round} of ${rounds}: ${candidates.map(({ name }) => `${name} ${runs[name]?.at(-1)?.cpuUsPerRequest.toFixed(1)} us`).join(", ")}`,
    );
  }
  const scenario = { name: "plain", runs };
  printScenario(scenario, "haproxy");
  const versions = {
    node: process.version,
    lateen: lateenVersion(),
    ...Object.fromEntries(others.map(({ name, version }) => [name, version])),
  };
  const file = fileURLToPath(new URL("../../../bench/results/proxy.json", import.meta.url));
  writeResults(file, versions, [scenario]);
  console.log(`\nwritten: ${file}`);
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
} finally {
  await cleanUp();
}
process.exit();
