import { printTable } from "./table.ts";

/** A figure with what it should be. */
export interface Verdict {
  readonly scenario: string;
  readonly figure: string;
  readonly value: number;
  readonly digits: number;
  /** Undefined: a figure that is told and not judged. */
  readonly bound?: Bound;
}

/** Which side of the goal is good, the goal, and what would be better still. */
export interface Bound {
  readonly better: "less" | "more";
  readonly goal: number;
  readonly stretch?: number;
}

export type Judgement = "stretch goal met" | "goal met" | "goal missed" | "-";

export function judge({ value, bound }: Verdict): Judgement {
  if (bound === undefined) return "-";
  const { better, goal, stretch } = bound;
  const isWithin = (limit: number) => (better === "less" ? value <= limit : value >= limit);
  if (stretch !== undefined && isWithin(stretch)) return "stretch goal met";
  return isWithin(goal) ? "goal met" : "goal missed";
}

/** The closing table of a bench. */
export function printVerdicts(title: string, verdicts: readonly Verdict[]): void {
  const rows = verdicts.map((verdict) => {
    const { scenario, figure, value, digits, bound } = verdict;
    const sign = bound?.better === "more" ? ">=" : "<=";
    const limit = (at: number | undefined) => (at === undefined ? "-" : `${sign} ${at}`);
    return [scenario, figure, value.toFixed(digits), limit(bound?.goal), limit(bound?.stretch), judge(verdict)];
  });
  printTable(title, ["scenario", "figure", "median", "goal", "stretch", ""], rows);
}
