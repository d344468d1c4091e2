import type { ApplyResult } from "../client/index.ts";
import { type FieldError, formatKey } from "../shared/model/index.ts";
import { safeCell } from "./safe-text.ts";

/** Text for people and for scripts. Pure: what it is given decides, colours included. */
export interface Palette {
  good(text: string): string;
  bad(text: string): string;
  dim(text: string): string;
}

export function palette(isTerminal: boolean): Palette {
  const colour = (code: number) => (text: string) => (isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: colour(32), bad: colour(31), dim: colour(2) };
}

/** Columns padded to their widest cell, two spaces between. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((line) => line.map(safeCell));
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** One line for what was accepted; for a refusal a line for each field, with what to do about it. */
export function renderApplyResult(
  result: ApplyResult,
  { dryRun, colours, file }: { dryRun: boolean; colours: Palette; file?: string },
): string {
  const key = formatKey(result);
  const suffix = dryRun ? " (dry run)" : "";
  const revision = (word: string) => (dryRun ? "" : ` ${word} revision ${result.revision}`);
  const warnings = result.warnings.map((warning) => renderFieldError(warning, colours, "warning: ")).join("");
  switch (result.outcome) {
    case "created":
      return `${colours.good("Created")} config ${key}${revision("at")}${suffix}${warnings}`;
    case "configured":
      return `${colours.good("Updated")} config ${key}${revision("to")}${suffix}${warnings}`;
    case "unchanged":
      return `Unchanged config ${key}${revision("at")}${suffix}${warnings}`;
    case "pending":
      return `${colours.good("Accepted")} config ${key}${revision("at")}, pending${suffix}${warnings}`;
    case "rejected": {
      const of = file === undefined ? "" : ` of ${file}`;
      const what = result.name === "" ? `document ${result.document + 1}${of}` : `config ${key}`;
      return `${colours.bad("Rejected")} ${what}${suffix}${result.errors.map((error) => renderFieldError(error, colours)).join("")}${warnings}`;
    }
  }
}

/** A line for the fault and one for its remedy, each after a line break. */
export function renderFieldError(
  { path, value, reason, remedy, position }: FieldError,
  colours: Palette,
  label = "",
): string {
  const at = position === undefined ? "" : ` (position ${position})`;
  const given = value === null || value === undefined ? "" : ` ${colours.dim(`[${shorten(JSON.stringify(value))}]`)}`;
  // What is said of an accepted document as a whole needs no place.
  const where = path !== "" ? `${path}${at}: ` : label === "" ? "document: " : "";
  const hint = remedy === "" ? "" : `\n      ${remedy}`;
  return `\n  ${label}${where}${reason}${given}${hint}`;
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

type Row = Readonly<Record<string, unknown>>;

/** A telemetry row in one line; an unexpected shape is shown as the JSON it is. */
export function renderTelemetry(kind: string, row: Row): string {
  const time = shortTime(row["time"]);
  if (kind !== "metric" || !isRow(row["source"]) || !isRow(row["destination"])) {
    const { time: _time, ...rest } = row;
    return `${time} ${kind} ${JSON.stringify(rest)}`;
  }
  const from = peer(row["source"], "workload");
  const to = peer(row["destination"], "service");
  return `${time} ${from} -> ${to} ${String(row["code"])} ${String(row["instance"])} ${String(row["value"])} (${String(row["count"])}, ${String(row["reporter"])})`;
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null;
}

function peer(side: Row, main: "workload" | "service"): string {
  const name = text(side[main]) || text(side["workload"]) || text(side["service"]);
  const version = text(side["version"]);
  return name === "" ? "unknown" : `${text(side["namespace"])}/${name}${version === "" ? "" : `@${version}`}`;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function shortTime(value: unknown): string {
  const time = new Date(typeof value === "number" || typeof value === "string" ? value : Number.NaN);
  return Number.isNaN(time.getTime()) ? "--:--:--.---" : time.toISOString().slice(11, 23);
}
