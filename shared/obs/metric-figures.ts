import { AggregatorRegistry, type Registry } from "prom-client";

/** One metric with its values, to be told to another process. */
export type MetricFigures = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>[number];

/**
 * The metrics of several processes as if they were those of one: added up, but for the few of which a mean or the like
 * is known to say more. What has one value alone that makes sense is the first process's.
 */
export function mergedMetrics(processes: readonly (readonly MetricFigures[])[]): Registry {
  return AggregatorRegistry.aggregate(
    processes.map((metrics) =>
      metrics.map((metric) => (metric.aggregator === "omit" ? { ...metric, aggregator: "first" } : metric)),
    ),
  );
}

/** The sums of what may never go down, even when the process that counted it is gone: counters and histograms. */
export function lastingFigures(processes: readonly (readonly MetricFigures[])[]): readonly MetricFigures[] {
  const merged = mergedMetrics(processes.map((metrics) => metrics.filter(isLasting)));
  // Merged metrics are plain figures, whatever they are declared as.
  return merged.getMetricsAsArray() as unknown as MetricFigures[];
}

/** The library names types by words, and declares them as numbers. */
function isLasting({ type }: MetricFigures): boolean {
  return ["counter", "histogram"].includes(String(type));
}
