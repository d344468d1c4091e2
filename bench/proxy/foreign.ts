import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../samples/bookinfo/demo/ports.ts";
import type { ProcessGroup } from "../../samples/bookinfo/demo/processes.ts";
import { pinned } from "../harness/process-usage.ts";
import type { Certificates } from "./certificates.ts";
import type { Contender, DataPlane } from "./contender.ts";
import { untilServing } from "./serving.ts";
import { hostOf, type Work } from "./work.ts";

/** One process of a contender. */
export interface Hop {
  /** `only`: from client to backend. `first` and `second`: the two ends of mutual TLS. */
  readonly place: "only" | "first" | "second";
  readonly work: Work;
  readonly port: number;
  readonly upstreamPort: number;
  /** A folder of its own. */
  readonly dir: string;
  readonly certificates: Certificates;
}

/** How to run a program that is not ours. */
export interface Recipe {
  readonly name: Exclude<Contender["name"], "lateen">;
  readonly version: string;
  /** Writes the configuration of a process; returns its command line. */
  prepare(hop: Hop): readonly [command: string, ...args: string[]];
}

export interface ForeignOptions {
  readonly workDir: string;
  readonly processes: ProcessGroup;
  readonly certificates: Certificates;
  readonly backendPort: number;
  readonly cpu: number;
}

/** A contender that a recipe runs from files made for the work. */
export class ForeignContender implements Contender {
  readonly name: Contender["name"];
  readonly version: string;
  readonly #recipe: Recipe;
  readonly #options: ForeignOptions;
  #running: string[] = [];

  constructor(recipe: Recipe, options: ForeignOptions) {
    this.name = recipe.name;
    this.version = recipe.version;
    this.#recipe = recipe;
    this.#options = options;
  }

  async start(work: Work): Promise<DataPlane> {
    const ports = await freePorts(work.hops);
    const pids: number[] = [];
    for (const [index, port] of ports.entries()) {
      const isFirst = index === 0;
      const place = work.hops === 1 ? "only" : isFirst ? "first" : "second";
      const upstreamPort = ports[index + 1] ?? this.#options.backendPort;
      pids.push(await this.#startHop({ place, work, port, upstreamPort }));
    }
    const port = ports[0] ?? 0;
    await untilServing(port, hostOf(work), this.name);
    return { pids, hops: work.hops, port };
  }

  async stop(): Promise<void> {
    await this.#options.processes.stop(this.#running);
    this.#running = [];
  }

  async #startHop(hop: Omit<Hop, "dir" | "certificates">): Promise<number> {
    const { workDir, processes, certificates, cpu } = this.#options;
    const name = `${this.name}-${hop.work.service}-${hop.place}`;
    const dir = join(workDir, name);
    mkdirSync(dir, { recursive: true });
    const [program, ...rest] = this.#recipe.prepare({ ...hop, dir, certificates });
    const [command, args] = pinned(cpu, program, rest);
    this.#running.push(name);
    return (await processes.start({ name, kind: "server", command, args, env: {} })).pid;
  }
}
