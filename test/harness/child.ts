import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** A program on the path or in /usr/sbin, where distributions put servers. */
export function findProgram(name: string): string {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  const file = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (file === undefined) throw new Error(`${name} is not installed`);
  return file;
}

/** A child process that dies with this one. */
export class Child {
  readonly process: ChildProcess;
  readonly #exited: Promise<void>;
  #output = "";

  constructor(command: string, args: readonly string[], env?: Record<string, string>) {
    this.process = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    children.add(this.process);
    const collect = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString("utf8")).slice(-100_000);
    };
    this.process.stdout?.on("data", collect);
    this.process.stderr?.on("data", collect);
    this.#exited = new Promise((resolve) => {
      this.process.once("error", (error) => {
        this.#output += error.message;
        resolve();
      });
      this.process.once("exit", () => resolve());
    });
    void this.#exited.then(() => children.delete(this.process));
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return children.has(this.process);
  }

  /** Waits for a line of output; throws with the output when the process ends or the time is over. */
  async waitFor(pattern: RegExp, withinMs = 10_000): Promise<RegExpExecArray> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match !== null) return match;
      if (!this.running || performance.now() > deadline) throw new Error(`no ${pattern} in:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.running) this.process.kill(signal);
    await this.#exited;
  }
}
