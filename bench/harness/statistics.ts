/** The value below which the share `q` of the sorted values lies; 0 of none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

/** `median (least..most)`. */
export function withSpread(values: readonly number[], digits: number): string {
  if (values.length === 0) return "-";
  const show = (value: number) => value.toFixed(digits);
  return `${show(median(values))} (${show(Math.min(...values))}..${show(Math.max(...values))})`;
}

/** Pairs the values of the same round: what slows the machine down in one round slows both. */
export function roundByRound(
  values: readonly number[],
  reference: readonly number[],
  combine: (value: number, reference: number) => number,
): number[] {
  return values.flatMap((value, round) => {
    const other = reference[round];
    return other === undefined ? [] : [combine(value, other)];
  });
}
