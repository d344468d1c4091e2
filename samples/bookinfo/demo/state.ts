import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProcessInfo } from "./processes.ts";
import type { Topology } from "./topology.ts";

/** What `.demo/state.json` says: enough for a test or a person to reach and watch every part. */
export interface DemoState {
  readonly launcherPid: number;
  readonly natsUrl: string;
  readonly credentials: { readonly user: string; readonly password: string };
  readonly redisUrl: string;
  readonly gatewayUrl: string;
  readonly prefix: string;
  readonly components: readonly ProcessInfo[];
}

/** Writes `state.json` and, for the command line, `context.json`; each at once, never half. */
export function writeState(demoDir: string, topology: Topology, components: readonly ProcessInfo[]): void {
  const { natsUrl, redisUrl, gatewayUrl, operator, subjects } = topology;
  const credentials = { user: operator.user, password: operator.password };
  const state: DemoState = {
    launcherPid: process.pid,
    natsUrl,
    credentials,
    redisUrl,
    gatewayUrl,
    prefix: subjects.prefix,
    components,
  };
  writeJson(join(demoDir, "state.json"), state);
  writeJson(join(demoDir, "context.json"), { natsUrl, ...credentials, prefix: subjects.prefix });
}

/** The state of the demo that ran or runs in this directory. */
export function readState(demoDir: string): DemoState | undefined {
  const file = join(demoDir, "state.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as DemoState) : undefined;
}

/**
 * Empties the directory of an earlier demo. Throws when it holds anything else: `--dir` may name any folder, and no typing
 * mistake should cost its contents.
 */
export function clearDemoDir(demoDir: string): void {
  const names = existsSync(demoDir) ? readdirSync(demoDir) : [];
  const foreign = names.find((name) => !OWN.has(name));
  if (foreign !== undefined) throw new Error(`${demoDir} is not a demo's folder: it has ${foreign}`);
  for (const name of names) rmSync(join(demoDir, name), { recursive: true, force: true });
}

/** All that a demo makes in its directory. */
const OWN = new Set([
  "data",
  "log",
  "nats.conf",
  ...["state.json", "context.json"].flatMap((name) => [name, `${name}.new`]),
]);

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
