import type { Registry } from "prom-client";
import type { RequestStats } from "../request-stats.ts";

const HEADER = /^#/;

/** All metrics of the proxy: the process's own, and those of the requests. */
export class StatsPage {
  readonly #registry: Registry;
  readonly #requests: RequestStats;

  constructor(registry: Registry, requests: RequestStats) {
    this.#registry = registry;
    this.#requests = requests;
  }

  /** In the Prometheus text format. */
  async prometheus(): Promise<string> {
    return `${await this.#registry.metrics()}\n${this.#requests.text()}`;
  }

  /** Name with labels to value; those of histograms as their parts. */
  async values(): Promise<Readonly<Record<string, number>>> {
    const lines = (await this.prometheus()).split("\n").filter((line) => line !== "" && !HEADER.test(line));
    return Object.fromEntries(
      lines.map((line) => {
        const space = line.lastIndexOf(" ");
        return [line.slice(0, space), Number(line.slice(space + 1))];
      }),
    );
  }
}
