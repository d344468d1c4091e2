import { InvalidArgumentError } from "../../../shared/base/index.ts";
import { type PrometheusMetricParams, type PrometheusParams, prometheusName } from "../../../shared/policy/index.ts";
import { formatValue } from "../values.ts";
import type { Handler, MetricItem, MetricSample, ReportItem } from "./adapter.ts";
import type { MergedMetric, Observation } from "./merged-metric.ts";
import type { MetricPool } from "./metric-pool.ts";

export const DEFAULT_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The bounds of a metric's histogram, in its own unit; undefined for a metric that has none. */
export function metricBounds(metric: PrometheusMetricParams): readonly number[] | undefined {
  return metric.kind === "DISTRIBUTION" ? (metric.bounds ?? DEFAULT_BOUNDS) : undefined;
}

/** Feeds the metrics that it defines, which Mixer serves at /metrics. */
export class PrometheusHandler implements Handler {
  readonly name: string;
  readonly #pool: MetricPool;
  readonly #onOverflow: (metric: string, requests: number) => void;
  readonly #metrics = new Map<string, MergedMetric>();

  /** Throws InvalidArgumentError when a metric cannot be defined. */
  constructor(
    name: string,
    params: PrometheusParams,
    pool: MetricPool,
    onOverflow: (metric: string, requests: number) => void,
  ) {
    this.name = name;
    this.#pool = pool;
    this.#onOverflow = onOverflow;
    try {
      for (const metric of params.metrics) {
        const definition = {
          name: prometheusName(metric),
          help: metric.description || metric.name || metric.instanceName,
          kind: metric.kind,
          labelNames: metric.labelNames,
          bounds: metricBounds(metric) ?? [],
        };
        this.#metrics.set(metric.instanceName, pool.acquire(this, name, definition));
      }
    } catch (error) {
      pool.release(this);
      throw error;
    }
  }

  covers(instance: string): boolean {
    return this.#metrics.has(instance);
  }

  report(items: readonly ReportItem[]): void {
    for (const item of items) {
      if (item.template === "metric") this.#add(item);
    }
  }

  close(): void {
    this.#pool.release(this);
  }

  #add(item: MetricItem): void {
    const metric = this.#metrics.get(item.instance);
    if (metric === undefined) throw new InvalidArgumentError(`no metric is defined for ${item.instance}`);
    const labels = metric.definition.labelNames.map((label) => {
      const value = item.dimensions.get(label);
      return value === undefined ? "" : formatValue(value);
    });
    if (!metric.add(labels, toObservation(item.sample))) this.#onOverflow(metric.name, item.sample.count);
  }
}

function toObservation(sample: MetricSample): Observation {
  const scale = sample.value.type === "DURATION" ? 0.001 : 1;
  const { count, histogram } = sample;
  const sum = sample.sum * scale;
  if (histogram === undefined) return { count, sum };
  const spread = histogram.counts.flatMap((inBucket, i) => {
    if (inBucket === 0) return [];
    const bound = histogram.bounds[i];
    // A hair below the bound, so that 70 ms meets the bucket 0.07 whatever the division rounds to.
    return [{ upTo: bound === undefined ? Number.POSITIVE_INFINITY : bound * scale * (1 - 1e-12), count: inBucket }];
  });
  return { count, sum, spread };
}
