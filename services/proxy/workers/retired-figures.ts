import { lastingFigures, type MetricFigures } from "../../../shared/obs/index.ts";
import { RequestStats, type SeriesFigures } from "../request-stats.ts";
import type { WorkerFigures } from "./messages.ts";

/** What workers had counted that are gone, so that no counter of the proxy ever goes back. */
export class RetiredFigures {
  readonly #requests = new RequestStats();
  #metrics: readonly MetricFigures[] = [];

  add({ requests, metrics }: WorkerFigures): void {
    this.#requests.add(requests);
    this.#metrics = lastingFigures([this.#metrics, metrics]);
  }

  get requests(): readonly SeriesFigures[] {
    return this.#requests.figures();
  }

  get metrics(): readonly MetricFigures[] {
    return this.#metrics;
  }
}
