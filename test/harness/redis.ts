import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child, findProgram } from "./child.ts";
import { freePort } from "./ports.ts";

/** A real redis-server of its own, without persistence. */
export class RedisFixture {
  readonly port: number;
  readonly #folder: string;
  #child: Child | undefined;

  constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const args = [
      "--port",
      String(this.port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--appendonly",
      "no",
      "--dir",
      this.#folder,
    ];
    this.#child = new Child(findProgram("redis-server"), args);
    await this.#child.waitFor(/Ready to accept connections/);
  }

  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** Freezes the server: connections stay open and nothing answers. */
  pause(): void {
    this.#child?.process.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.process.kill("SIGCONT");
  }

  /** The same port, empty. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export async function startRedis(): Promise<RedisFixture> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-redis-"));
  for (let attempt = 1; ; attempt++) {
    const fixture = new RedisFixture(await freePort(), folder);
    try {
      await fixture.start();
      return fixture;
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}
