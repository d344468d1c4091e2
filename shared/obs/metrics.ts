import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** The metrics of one component: every name is `mesh_<component>_<name>`. */
export class Metrics {
  readonly registry = new Registry();
  readonly #prefix: string;

  constructor(component: string) {
    this.#prefix = `mesh_${component}_`;
  }

  /** Adds the process's own figures (CPU, memory, event loop). */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name: this.#prefix + name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  /** `collect` is called at each scrape. */
  gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    collect?: (gauge: Gauge<L>) => void,
  ): Gauge<L> {
    return new Gauge({
      name: this.#prefix + name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      ...(collect && {
        collect() {
          collect(this);
        },
      }),
    });
  }

  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: readonly number[],
  ): Histogram<L> {
    return new Histogram({
      name: this.#prefix + name,
      help,
      labelNames: [...labelNames],
      buckets: [...buckets],
      registers: [this.registry],
    });
  }
}
