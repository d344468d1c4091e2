import { type Metrics, mergedMetrics } from "../../../shared/obs/index.ts";
import type { DataPlane } from "../plane/data-plane.ts";
import { RequestStats } from "../request-stats.ts";

const HEADER = /^#/;

/** All metrics of the proxy: of its processes, and of the requests. */
export class StatsPage {
  readonly #metrics: Metrics;
  readonly #plane: Pick<DataPlane, "show">;

  /** `metrics`: this process's. */
  constructor(metrics: Metrics, plane: Pick<DataPlane, "show">) {
    this.#metrics = metrics;
    this.#plane = plane;
  }

  /** In the Prometheus text format. */
  async prometheus(): Promise<string> {
    const { requests, processes } = await this.#plane.show("figures");
    const own = await this.#metrics.registry.getMetricsAsJSON();
    // Each process has kept to its bound. With another one here it would depend on their order which series are shown.
    const stats = new RequestStats(Number.POSITIVE_INFINITY);
    stats.add(requests);
    return `${await mergedMetrics([own, ...processes]).metrics()}\n${stats.text()}`;
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
