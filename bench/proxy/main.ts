import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ProcessGroup } from "../../samples/bookinfo/demo/processes.ts";
import { printVerdicts } from "../harness/goal.ts";
import { pinned } from "../harness/process-usage.ts";
import { firstLine, type Outcome, writeResults } from "../harness/results.ts";
import { makeCertificates } from "./certificates.ts";
import { envoy } from "./envoy.ts";
import { ForeignContender } from "./foreign.ts";
import { haproxy } from "./haproxy.ts";
import { BenchMesh } from "./mesh.ts";
import { nginx } from "./nginx.ts";
import { SCENARIOS } from "./scenarios.ts";

/*
 * `npm run bench -- proxy`: what a proxied request costs, beside HAProxy and nginx (and Envoy, with ENVOY_BIN) doing the
 * same work. The proxies under test have processor 0 for themselves; load and backend share processor 1.
 */
const PROXY_CPU = 0;
const LOAD_CPU = 1;

const { values } = parseArgs({
  options: {
    scenario: { type: "string", default: "" },
    rounds: { type: "string", default: "10" },
    seconds: { type: "string", default: "2" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const names = values.scenario === "" ? SCENARIOS.map(({ name }) => name) : values.scenario.split(",");

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

if (!Number.isInteger(rounds) || rounds < 1) fail("--rounds is a whole number of at least 1");
if (!(seconds > 0)) fail("--seconds is a number above 0");
const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  const known = SCENARIOS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`);
  fail(`--scenario ${unknown.join(",")}: unknown. There are:\n${known.join("\n")}`);
}
for (const program of ["taskset", "openssl"])
  if (firstLine("sh", ["-c", `command -v ${program}`]) === undefined) fail(`this bench needs ${program}`);
if (process.platform !== "linux") fail("this bench needs Linux");
if (cpus().length < 2) fail("this bench needs two processors");

const envoyProgram = process.env["ENVOY_BIN"] ?? "";
const envoyRecipe = envoyProgram === "" ? undefined : envoy(envoyProgram);
if (envoyProgram !== "" && envoyRecipe === undefined) fail(`ENVOY_BIN: ${envoyProgram} cannot be run`);

const workDir = mkdtempSync(join(tmpdir(), "lateen-bench-"));
const path = process.env["PATH"] ?? "";
const processes = new ProcessGroup(join(workDir, "log"), path, () => {});
let mesh: BenchMesh | undefined;
const cleanUp = async () => {
  await mesh?.close();
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
  mesh = await BenchMesh.open({ workDir, path, backendPort, cpu: PROXY_CPU, otherCpu: LOAD_CPU });
  const options = { workDir, processes, certificates: makeCertificates(workDir), backendPort, cpu: PROXY_CPU };
  const foreign = [haproxy(), nginx(), envoyRecipe].flatMap((recipe) =>
    recipe === undefined ? [] : [new ForeignContender(recipe, options)],
  );
  const contenders = [mesh, ...foreign];
  const context = { mesh, contenders, backendPort, workDir, loadCpu: LOAD_CPU, rounds, seconds };
  const outcomes: Outcome[] = [];
  const failures: string[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => names.includes(name))) {
    try {
      const outcome = await scenario.run(context);
      outcomes.push(outcome);
      for (const [contender, { errors }] of Object.entries(outcome.results))
        if (errors > 0) failures.push(`${scenario.name}: ${errors} errors of ${contender}`);
    } catch (error) {
      failures.push(`${scenario.name}: ${textOf(error)}`);
    }
  }
  printVerdicts(
    "summary",
    outcomes.flatMap(({ verdicts }) => verdicts),
  );
  const versions = {
    node: process.version,
    ...Object.fromEntries(contenders.map(({ name, version }) => [name, version])),
  };
  const file = fileURLToPath(new URL("../../../bench/results/proxy.json", import.meta.url));
  writeResults(file, versions, outcomes);
  console.log(`\nwritten: ${file}`);
  if (failures.length > 0) throw new Error(failures.join("\n"));
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`${textOf(error)}\n`);
} finally {
  await cleanUp();
}
process.exit();
