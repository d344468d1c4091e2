import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Affected } from "../../services/pilot/compile/affected.ts";
import { Compiler } from "../../services/pilot/compile/compiler.ts";
import type { ParsedResource } from "../../shared/model/index.ts";
import { ServiceConfig } from "../../shared/wire/index.ts";
import { judge, printVerdicts, type Verdict } from "../harness/goal.ts";
import { firstLine } from "../harness/results.ts";
import { median, withSpread } from "../harness/statistics.ts";
import { printTable } from "../harness/table.ts";
import { LargeRegistry, placeOfService, RULES, resource, rules, SERVICES, virtualService } from "./large-mesh.ts";

/*
 * `npm run bench -- compiler`: what Pilot's compiler takes of a large mesh, from resources that have been read to the bytes that are
 * written, without the bus. Once for everything, as a new leader does it, and then change by change.
 */
const ROUNDS = 5;
const CHANGES = 300;
const WILD_CHANGES = 20;

function write(compiler: Compiler, services: Iterable<string>): number {
  let bytes = 0;
  for (const key of services) {
    const body = compiler.compileService(key, 1);
    if (body === undefined) continue;
    const { targets: _, ...config } = body;
    bytes += ServiceConfig.encode(config).byteLength;
  }
  return bytes;
}

function timed(run: () => unknown): number {
  const startedMs = performance.now();
  run();
  return performance.now() - startedMs;
}

/** From the change to the bytes of all that it affects, as milliseconds and services written. */
function change(compiler: Compiler, make: () => Affected): { ms: number; written: number } {
  let written = 0;
  const ms = timed(() => {
    const { services } = make();
    written = services.length;
    write(compiler, services);
  });
  return { ms, written };
}

const readMs: number[] = [];
const fullMs: number[] = [];
let compiler = new Compiler(new LargeRegistry());
let bytes = 0;
for (let round = 0; round < ROUNDS; round++) {
  let all: ParsedResource[] = [];
  readMs.push(timed(() => (all = rules())));
  const registry = new LargeRegistry();
  compiler = new Compiler(registry);
  const fresh = compiler;
  fullMs.push(
    timed(() => {
      for (const rule of all) fresh.put(rule);
      bytes = write(fresh, registry.keys());
    }),
  );
}

let revision = RULES;
const changedMs: number[] = [];
const wildMs: number[] = [];
let wildWritten = 0;
for (let turn = 0; turn < CHANGES; turn++) {
  // Some service or other of those with a VirtualService.
  const i = 1_000 + ((turn * 37) % 3_900);
  const changed = resource("VirtualService", placeOfService(i), virtualService(i, turn), ++revision);
  const { ms, written } = change(compiler, () => compiler.put(changed));
  if (written === 0) throw new Error("a changed rule affects nothing");
  changedMs.push(ms);
}
for (let turn = 0; turn < WILD_CHANGES; turn++) {
  const namespace = `ns-${turn % 50}`;
  const host = `*.${namespace}.svc.cluster.local`;
  const simple = turn % 2 === 0 ? "RANDOM" : "LEAST_REQUEST";
  const spec = { host, trafficPolicy: { loadBalancer: { simple } } };
  const changed = resource("DestinationRule", { namespace, name: "everything" }, spec, ++revision);
  const { ms, written } = change(compiler, () => compiler.put(changed));
  wildMs.push(ms);
  wildWritten = written;
}

const worst = [...changedMs].sort((a, b) => b - a)[0] ?? 0;
printTable(
  `${SERVICES} services, ${RULES} rules (${ROUNDS} rounds; median, least..most), Node ${process.version}`,
  ["", "ms"],
  [
    ["the rules, read and judged", withSpread(readMs, 0)],
    [`everything compiled (${(bytes / 1024 / 1024).toFixed(1)} MB)`, withSpread(fullMs, 0)],
    ["one changed rule", withSpread(changedMs, 3)],
    [`one changed wildcard (${wildWritten} services)`, withSpread(wildMs, 2)],
  ],
);
const verdicts: Verdict[] = [
  {
    scenario: "full",
    figure: "everything compiled, ms",
    value: median(fullMs),
    digits: 0,
    bound: { better: "less", goal: 3_000 },
  },
  {
    scenario: "change",
    figure: "one changed rule, ms",
    value: median(changedMs),
    digits: 3,
    bound: { better: "less", goal: 5 },
  },
  { scenario: "change", figure: "the slowest change, ms", value: worst, digits: 3 },
];
printVerdicts("summary", verdicts);
const file = fileURLToPath(new URL("../../../bench/results/compiler.json", import.meta.url));
const results = {
  machine: { cpu: cpus()[0]?.model.trim() ?? "unknown", cpus: cpus().length },
  versions: { node: process.version },
  commit: firstLine("git", ["rev-parse", "HEAD"]) ?? "unknown",
  services: SERVICES,
  rules: RULES,
  bytes,
  verdicts: verdicts.map((verdict) => ({ ...verdict, judgement: judge(verdict) })),
};
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
console.log(`\nwritten: ${file}`);
