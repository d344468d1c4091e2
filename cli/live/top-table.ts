import type { TapPeer, TapRow } from "../../shared/wire/index.ts";
import { renderTable } from "../render.ts";
import { printable } from "../safe-text.ts";
import { milliseconds, percent } from "./stat-report.ts";

export interface TopRow {
  readonly source: string;
  readonly destination: string;
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly count: number;
  readonly bestMs: number;
  readonly worstMs: number;
  readonly lastMs: number;
  /** Answered, and not with 5xx; 0 to 1. */
  readonly successRate: number;
}

/** Different requests that are told apart; the rest is counted as one. */
const MAX_KEYS = 5_000;
const OTHER = { source: "(other)", destination: "(other)", method: "", path: "" };

interface Sum {
  readonly key: Pick<TopRow, "source" | "destination" | "method" | "path">;
  count: number;
  successes: number;
  bestMs: number;
  worstMs: number;
  lastMs: number;
}

/** Requests summed up by who calls whom with what. */
export class TopTable {
  readonly #sums = new Map<string, Sum>();

  add({ source, destination, method, path, status, durationMs }: TapRow): void {
    const question = path.indexOf("?");
    const shown = question < 0 ? path : path.slice(0, question);
    const key = { source: workloadOf(source), destination: workloadOf(destination), method, path: shown };
    const sum = this.#sumOf(key);
    sum.count++;
    if (status > 0 && status < 500) sum.successes++;
    sum.bestMs = Math.min(sum.bestMs, durationMs);
    sum.worstMs = Math.max(sum.worstMs, durationMs);
    sum.lastMs = durationMs;
  }

  /** The most frequent first. */
  rows(limit: number): readonly TopRow[] {
    return [...this.#sums.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, limit)
      .map(({ key, successes, ...sum }) => ({ ...key, ...sum, successRate: successes / sum.count }));
  }

  #sumOf(wanted: Sum["key"]): Sum {
    const id = JSON.stringify(wanted);
    const known = this.#sums.get(id);
    if (known !== undefined) return known;
    const isFull = this.#sums.size >= MAX_KEYS && wanted !== OTHER;
    if (isFull) return this.#sumOf(OTHER);
    const sum = { key: wanted, count: 0, successes: 0, bestMs: Number.POSITIVE_INFINITY, worstMs: 0, lastMs: 0 };
    this.#sums.set(id, sum);
    return sum;
  }
}

function workloadOf({ workload, service, namespace }: TapPeer): string {
  const name = workload || service;
  if (name === "") return "outside";
  return namespace === "" ? name : `${name}.${namespace}`;
}

export function renderTop(rows: readonly TopRow[]): string {
  return renderTable(
    ["SOURCE", "DESTINATION", "METHOD", "PATH", "COUNT", "BEST", "WORST", "LAST", "SUCCESS"],
    rows.map((row) => [
      row.source,
      row.destination,
      row.method,
      shortened(printable(row.path)),
      String(row.count),
      milliseconds(row.bestMs),
      milliseconds(row.worstMs),
      milliseconds(row.lastMs),
      percent(row.successRate),
    ]),
  );
}

function shortened(path: string): string {
  return path.length > 60 ? `${path.slice(0, 57)}...` : path;
}
