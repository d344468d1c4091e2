// `npm test [lint|unit|integration|system|conformance ...]`: set-up, build, then the named parts (default: all).
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.js";
import { root, setup } from "./setup.js";

/** Test folders in order, with how many files run at once. System tests own the machine while they run. */
const LEVELS = { unit: 2, conformance: 2, integration: 2, system: 1 };
const FILE_TIMEOUT_MS = 300_000;
const PARTS = ["lint", ...Object.keys(LEVELS)];

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: "inherit" }).status === 0;
}

/** Node 20 knows no globs, and given a folder it would run helpers as tests: so each file is named. */
function testFiles(level) {
  const folder = join(root, "dist/test", level);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(folder, name))
    .sort();
}

function runPart(part) {
  if (part === "lint") return run(join(root, "node_modules/.bin/biome"), ["ci", "--error-on-warnings", "."]);
  const files = testFiles(part);
  if (files.length === 0) return true;
  return run(process.execPath, [
    "--enable-source-maps",
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${LEVELS[part]}`,
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    ...files,
  ]);
}

const chosen = process.argv.slice(2);
const unknown = chosen.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) {
  console.error(`unknown part ${unknown.join(", ")}: choose from ${PARTS.join(", ")}`);
  process.exit(64);
}
const parts = chosen.length === 0 ? PARTS : PARTS.filter((part) => chosen.includes(part));

setup();
build();
const outcome = parts.map((part) => {
  const started = performance.now();
  console.log(`\n# ${part}`);
  return { part, passed: runPart(part), seconds: ((performance.now() - started) / 1000).toFixed(1) };
});
console.log("");
for (const { part, passed, seconds } of outcome) console.log(`${passed ? "passed" : "FAILED"}  ${part} (${seconds} s)`);
process.exit(outcome.every(({ passed }) => passed) ? 0 : 1);
