import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/**
 * Child processes that cannot outlive their launcher. Every child holds the read end of a pipe whose write end only
 * the launcher has: when the launcher goes, however it goes, the pipe ends. A Lateen process watches its standard
 * input itself (LATEEN_EXIT_WITH_PARENT); a foreign server runs under a shell that does it for it. Children lead
 * process groups of their own, so that Ctrl-C reaches the launcher alone, which then stops them in order.
 */
export interface ProcessSpec {
  readonly name: string;
  /** "node": prints a ready line and watches its standard input. "server": neither. */
  readonly kind: "node" | "server";
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment but PATH: nothing of the user's shell leaks in. */
  readonly env: Readonly<Record<string, string>>;
}

export type Ports = Readonly<Record<string, number>>;

export interface ProcessInfo {
  readonly name: string;
  readonly pid: number;
  readonly ports: Ports;
  readonly log: string;
}

/** How long a process may take to say that it is ready; generous, since two dozen start at once on a small machine. */
const READY_DEADLINE_MS = 90_000;
/** After SIGTERM; a draining proxy serves for at least five seconds. */
const STOP_DEADLINE_MS = 20_000;
/** When everything goes, nobody is left to drain for. */
const TEARDOWN_DEADLINE_MS = 2_000;

/** Runs the server, prints its pid, and ends it when standard input does. $0 is the log file. */
const SERVER_GUARD = 'log=$0; "$@" </dev/null >>"$log" 2>&1 & echo $!; cat >/dev/null; kill $! 2>/dev/null; wait $!';

/** One child, from start to exit; `start` may be called again after it exited. */
export class ManagedProcess {
  readonly spec: ProcessSpec;
  readonly log: string;
  readonly #path: string;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #pid = 0;
  #ports: Ports = {};

  /** `path`: the folders in which programs are looked for. */
  constructor(spec: ProcessSpec, log: string, path: string) {
    this.spec = spec;
    this.log = log;
    this.#path = path;
  }

  get info(): ProcessInfo {
    return { name: this.spec.name, pid: this.#pid, ports: this.#ports, log: this.log };
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Resolves when the process has said that it is ready (a server: when it has a pid). */
  async start(): Promise<ProcessInfo> {
    const { spec } = this;
    const isServer = spec.kind === "server";
    const log = openSync(this.log, "a");
    const [command, args] = isServer
      ? ["/bin/sh", ["-c", SERVER_GUARD, this.log, spec.command, ...spec.args]]
      : [spec.command, [...spec.args]];
    const child = spawn(command, args, {
      env: { PATH: this.#path, ...spec.env, ...(isServer ? {} : { LATEEN_EXIT_WITH_PARENT: "1" }) },
      stdio: ["pipe", "pipe", log],
      detached: true,
    });
    this.#child = child;
    this.#pid = child.pid ?? 0;
    child.stdin?.on("error", () => {});
    this.#exited = new Promise<void>((resolve) => {
      child.once("error", () => resolve());
      child.once("exit", () => resolve());
    }).then(() => {
      this.#child = undefined;
      closeSync(log);
    });
    const first = await this.#firstLine(child, log);
    if (isServer) {
      this.#pid = Number(first);
      return this.info;
    }
    this.#ports = readyPorts(first);
    return this.info;
  }

  /** Asks it to end and waits; kills it when it takes longer than the deadline. */
  async stop(deadlineMs = STOP_DEADLINE_MS): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    if (this.spec.kind === "server") child.stdin?.end();
    else child.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), deadlineMs);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Ends it at once, with all that it may have started. */
  kill(): void {
    if (this.#child?.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // gone already
    }
  }

  /** The first line of standard output is the answer of `start`; later ones go to the log. */
  #firstLine(child: ChildProcess, log: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${this.spec.name} was not ready after ${READY_DEADLINE_MS / 1000} s; see ${this.log}`));
      }, READY_DEADLINE_MS);
      timer.unref();
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        reject(
          new Error(`${this.spec.name} ended (${signal ?? `exit code ${code}`}) before it was ready; see ${this.log}`),
        );
      });
      if (child.stdout === null) return;
      let isFirst = true;
      createInterface({ input: child.stdout }).on("line", (line) => {
        if (!isFirst) {
          if (this.running) writeSync(log, `${line}\n`);
          return;
        }
        isFirst = false;
        clearTimeout(timer);
        resolve(line);
      });
    });
  }
}

function readyPorts(line: string): Ports {
  const message: unknown = JSON.parse(line);
  if (typeof message !== "object" || message === null || !("ports" in message)) return {};
  const { ports } = message;
  if (typeof ports !== "object" || ports === null) return {};
  return Object.fromEntries(
    Object.entries(ports).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

/** All children of the launcher, by name. */
export class ProcessGroup {
  readonly #logDir: string;
  readonly #path: string;
  readonly #processes = new Map<string, ManagedProcess>();
  readonly #onChange: () => void;

  /** `onChange` is called whenever a process was started or stopped on purpose. */
  constructor(logDir: string, path: string, onChange: () => void) {
    this.#logDir = logDir;
    this.#path = path;
    this.#onChange = onChange;
    mkdirSync(logDir, { recursive: true });
  }

  get infos(): ProcessInfo[] {
    return [...this.#processes.values()].map((each) => each.info);
  }

  get(name: string): ManagedProcess {
    const found = this.#processes.get(name);
    if (found === undefined) throw new Error(`no process ${name}`);
    return found;
  }

  /** Starts them side by side and waits for all. */
  async startAll(specs: readonly ProcessSpec[]): Promise<void> {
    await Promise.all(specs.map((spec) => this.start(spec)));
  }

  async start(spec: ProcessSpec): Promise<ProcessInfo> {
    const managed = new ManagedProcess(spec, join(this.#logDir, `${spec.name}.log`), this.#path);
    this.#processes.set(spec.name, managed);
    const info = await managed.start();
    this.#onChange();
    return info;
  }

  /** Starts processes again that were stopped, each with the same settings. */
  async restart(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.get(name).start()));
    this.#onChange();
  }

  /** Drains and ends the named ones. */
  async stop(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.get(name).stop()));
    this.#onChange();
  }

  /** Ends everything: Lateen's processes and the applications first, then the servers they talk to. */
  async teardown(): Promise<void> {
    const all = [...this.#processes.values()];
    for (const kind of ["node", "server"] as const) {
      await Promise.all(all.filter((each) => each.spec.kind === kind).map((each) => each.stop(TEARDOWN_DEADLINE_MS)));
    }
  }
}
