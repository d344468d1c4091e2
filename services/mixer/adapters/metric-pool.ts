import { type Metric, Registry } from "prom-client";
import { InvalidArgumentError } from "../../../shared/base/index.ts";
import { MergedMetric, type MetricDefinition } from "./merged-metric.ts";

interface Entry {
  readonly metric: MergedMetric;
  /** The handlers, alive now, that feed it. */
  readonly owners: Map<object, string>;
}

const MAX_METRICS = 1000;

/**
 * The metrics that all prometheus handlers of this process feed. A metric lives as long as a handler defines it, so it
 * keeps its counts when a handler is replaced by one with the same definition. A handler that redefines its own metric
 * starts that metric, and no other, from zero; two handlers cannot define one name differently.
 */
export class MetricPool {
  readonly registry = new Registry();
  readonly #maxSeries: number;
  readonly #entries = new Map<string, Entry>();

  /** `maxSeries`: label sets per metric. */
  constructor(maxSeries = 10_000) {
    this.#maxSeries = maxSeries;
  }

  /** Throws InvalidArgumentError when another handler defines the name otherwise. */
  acquire(owner: object, handler: string, definition: MetricDefinition): MergedMetric {
    const known = this.#entries.get(definition.name);
    if (known !== undefined && JSON.stringify(known.metric.definition) === JSON.stringify(definition)) {
      known.owners.set(owner, handler);
      return known.metric;
    }
    const other = [...(known?.owners.values() ?? [])].find((name) => name !== handler);
    if (other !== undefined) {
      throw new InvalidArgumentError(`metric ${definition.name} is defined otherwise by ${other}`);
    }
    if (known === undefined && this.#entries.size >= MAX_METRICS) {
      throw new InvalidArgumentError(`more than ${MAX_METRICS} metrics`);
    }
    const metric = new MergedMetric(definition, this.#maxSeries);
    this.registry.removeSingleMetric(definition.name);
    this.registry.registerMetric(metric as unknown as Metric);
    this.#entries.set(definition.name, { metric, owners: new Map([[owner, handler]]) });
    return metric;
  }

  release(owner: object): void {
    for (const [name, entry] of this.#entries) {
      if (!entry.owners.delete(owner) || entry.owners.size > 0) continue;
      this.#entries.delete(name);
      this.registry.removeSingleMetric(name);
    }
  }
}
