export type MetricKind = "COUNTER" | "GAUGE" | "DISTRIBUTION";

export interface MetricDefinition {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labelNames: readonly string[];
  /** Upper bounds of a DISTRIBUTION, ascending; empty for the others. */
  readonly bounds: readonly number[];
}

/** One observation, or many at once. */
export interface Observation {
  readonly count: number;
  readonly sum: number;
  /** How many at which value or just below; without it all `count` lie at their mean. */
  readonly spread?: readonly { readonly upTo: number; readonly count: number }[];
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  count: number;
  sum: number;
  /** One per bound, and one above the last; not cumulative. */
  readonly buckets: number[];
}

interface SampleLine {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * A metric that takes whole histograms at once, which prom-client's own classes cannot; a prom-client registry reads it
 * like one of its own. A gauge shows the mean of the last row. Label sets are bounded: what comes beyond is dropped and counted by the caller.
 */
export class MergedMetric {
  readonly definition: MetricDefinition;
  readonly name: string;
  readonly #maxSeries: number;
  readonly #series = new Map<string, Series>();

  constructor(definition: MetricDefinition, maxSeries: number) {
    this.definition = definition;
    this.name = definition.name;
    this.#maxSeries = maxSeries;
  }

  /** Label values in the order of the definition's names. Returns whether there was room for the label set. */
  add(labelValues: readonly string[], observation: Observation): boolean {
    const series = this.#seriesOf(labelValues);
    if (series === undefined) return false;
    const { kind } = this.definition;
    if (kind === "GAUGE") {
      series.sum = observation.count === 0 ? 0 : observation.sum / observation.count;
      return true;
    }
    series.count += observation.count;
    series.sum += observation.sum;
    if (kind === "DISTRIBUTION") {
      const spread = observation.spread ?? [{ upTo: observation.sum / observation.count, count: observation.count }];
      for (const part of spread) {
        const bucket = this.#bucketOf(part.upTo);
        series.buckets[bucket] = (series.buckets[bucket] ?? 0) + part.count;
      }
    }
    return true;
  }

  /** As prom-client's registry asks for it. */
  async get(): Promise<{ name: string; help: string; type: string; values: SampleLine[]; aggregator: string }> {
    const { name, help, kind } = this.definition;
    const type = kind === "DISTRIBUTION" ? "histogram" : kind === "GAUGE" ? "gauge" : "counter";
    const values = [...this.#series.values()].flatMap((series) =>
      kind === "DISTRIBUTION" ? this.#histogramLines(series) : [{ labels: series.labels, value: series.sum }],
    );
    return { name, help, type, values, aggregator: "sum" };
  }

  #histogramLines(series: Series): SampleLine[] {
    const { name, bounds } = this.definition;
    let total = 0;
    const lines: SampleLine[] = bounds.map((bound, i) => {
      total += series.buckets[i] ?? 0;
      return { metricName: `${name}_bucket`, labels: { ...series.labels, le: bound }, value: total };
    });
    lines.push({ metricName: `${name}_bucket`, labels: { ...series.labels, le: "+Inf" }, value: series.count });
    lines.push({ metricName: `${name}_sum`, labels: series.labels, value: series.sum });
    lines.push({ metricName: `${name}_count`, labels: series.labels, value: series.count });
    return lines;
  }

  #seriesOf(labelValues: readonly string[]): Series | undefined {
    const key = JSON.stringify(labelValues);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= this.#maxSeries) return undefined;
    const labels: Record<string, string> = {};
    for (const [i, name] of this.definition.labelNames.entries()) labels[name] = labelValues[i] ?? "";
    const series: Series = {
      labels,
      count: 0,
      sum: 0,
      buckets: new Array<number>(this.definition.bounds.length + 1).fill(0),
    };
    this.#series.set(key, series);
    return series;
  }

  #bucketOf(value: number): number {
    const { bounds } = this.definition;
    const found = bounds.findIndex((bound) => value <= bound);
    return found < 0 ? bounds.length : found;
  }
}
