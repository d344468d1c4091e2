import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Demo } from "./demo.ts";
import { onParentGone } from "./parent.ts";
import { DEMO_HELP, printTable } from "./table.ts";
import { STEPS } from "./tour/tour.ts";

/** The launcher: everything up, then the tour (`--check`) or a table and a wait for the end. */

const EXIT_USAGE = 64;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function fail(text: string, exitCode: number): never {
  process.stderr.write(`${text}\n`);
  process.exit(exitCode);
}

function parseOptions() {
  try {
    return parseArgs({
      options: {
        check: { type: "boolean" },
        dir: { type: "string" },
        step: { type: "string", multiple: true },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n${DEMO_HELP}`, EXIT_USAGE);
  }
}

const options = parseOptions();
if (options.help === true) {
  console.log(DEMO_HELP);
  process.exit(0);
}
const only = (options.step ?? []).map(Number);
if (!only.every((number) => Number.isInteger(number) && number >= 1 && number <= STEPS.length)) {
  fail(`--step: choose from 1 to ${STEPS.length}`, EXIT_USAGE);
}

const distDir = fileURLToPath(new URL("../../../", import.meta.url));
const rootDir = resolve(distDir, "..");
const demo = new Demo({
  distDir,
  rulesDir: join(rootDir, "samples/bookinfo/rules"),
  demoDir: resolve(options.dir ?? join(rootDir, ".demo")),
  path: process.env["PATH"] ?? "",
});

let ending = false;
const end = async (exitCode: number) => {
  if (ending) return;
  ending = true;
  await demo.stop();
  process.exit(exitCode);
};
for (const signal of SIGNALS) process.on(signal, () => void end(options.check === true ? 1 : 0));
onParentGone(() => void end(1), process.env["npm_lifecycle_event"] !== undefined);

try {
  const started = performance.now();
  console.log("Starting NATS, Redis, two Pilots, two Mixers, the CA, the gateway and Bookinfo with its sidecars ...");
  await demo.start();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (options.check === true) {
    console.log(`Up in ${seconds} s.`);
    const failed = await demo.runTour((line) => console.log(line), only);
    const total = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      failed === 0 ? `The tour holds (${total} s).` : `${failed} steps failed (${total} s); logs: ${demo.logDir}`,
    );
    await end(failed === 0 ? 0 : 1);
  } else {
    printTable(demo, seconds, options.dir === undefined ? undefined : resolve(options.dir));
  }
} catch (error) {
  if (!ending) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    await end(1);
  }
}
