/** Envoy's bounds, for milliseconds and for bytes. */
export const STATS_BOUNDS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

/** What a histogram holds, to be told to another process. */
export interface HistogramFigures {
  /** Not added up; the last one is for what is beyond all bounds. */
  readonly counts: Float64Array;
  readonly sum: number;
}

/** Counts of values by size. */
export class StatsHistogram {
  readonly #counts = new Float64Array(STATS_BOUNDS.length + 1);
  #sum = 0;

  observe(value: number): void {
    let i = 0;
    while (i < STATS_BOUNDS.length && value > (STATS_BOUNDS[i] as number)) i++;
    (this.#counts[i] as number)++;
    this.#sum += value;
  }

  get figures(): HistogramFigures {
    return { counts: this.#counts.slice(), sum: this.#sum };
  }

  add({ counts, sum }: HistogramFigures): void {
    for (let i = 0; i < this.#counts.length; i++) (this.#counts[i] as number) += counts[i] ?? 0;
    this.#sum += sum;
  }

  /** The lines of one label set in the Prometheus text format. */
  lines(name: string, labels: string): string {
    let total = 0;
    let text = "";
    for (let i = 0; i < STATS_BOUNDS.length; i++) {
      total += this.#counts[i] ?? 0;
      text += `${name}_bucket{${labels},le="${STATS_BOUNDS[i]}"} ${total}\n`;
    }
    total += this.#counts[STATS_BOUNDS.length] ?? 0;
    return `${text}${name}_bucket{${labels},le="+Inf"} ${total}\n${name}_sum{${labels}} ${this.#sum}\n${name}_count{${labels}} ${total}\n`;
  }
}
