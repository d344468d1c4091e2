import type { LogLevel, StdioParams } from "../../../shared/policy/index.ts";
import { jsonValue, type TypedValue } from "../values.ts";
import type { Handler, ReportItem } from "./adapter.ts";
import type { LineWriter } from "./line-writer.ts";

const RANK: Readonly<Record<LogLevel, number>> = { INFO: 0, WARNING: 1, ERROR: 2 };
const SHOWN: Readonly<Record<LogLevel, string>> = { INFO: "info", WARNING: "warn", ERROR: "error" };

/** One line for each log entry and metric: JSON, or tab-separated text. */
export class StdioHandler implements Handler {
  readonly name: string;
  readonly #params: StdioParams;
  readonly #writer: LineWriter;
  readonly #onDrop: () => void;

  constructor(name: string, params: StdioParams, writer: LineWriter, onDrop: () => void) {
    this.name = name;
    this.#params = params;
    this.#writer = writer;
    this.#onDrop = onDrop;
  }

  report(items: readonly ReportItem[]): void {
    for (const item of items) {
      const level = item.template === "metric" ? this.#params.metricLevel : this.#level(item.severity);
      if (RANK[level] < RANK[this.#params.outputLevel]) continue;
      const line = this.#line(level, item);
      if (!this.#writer.write(line)) this.#onDrop();
    }
  }

  close(): void {
    this.#writer.close();
  }

  #level(severity: string): LogLevel {
    return this.#params.severityLevels[severity] ?? "INFO";
  }

  #line(level: LogLevel, item: ReportItem): string {
    const fields: [string, unknown][] = [
      ["level", SHOWN[level]],
      ["time", microseconds(item.timeMs)],
      ["instance", item.instance],
    ];
    if (item.template === "metric") {
      const { sample } = item;
      fields.push([
        "value",
        jsonValue({ type: sample.value.type, value: sample.count === 1 ? sample.value.value : sample.sum }),
      ]);
      if (sample.count !== 1) fields.push(["count", sample.count]);
      fields.push(...sorted(item.dimensions));
    } else {
      fields.push(...sorted(item.variables));
    }
    if (this.#params.outputAsJson) return JSON.stringify(Object.fromEntries(fields));
    const [, time, instance, ...rest] = fields;
    const details = JSON.stringify(Object.fromEntries(rest));
    return `${time?.[1]}\t${SHOWN[level]}\t${instance?.[1]}\t${details}`;
  }
}

function sorted(values: ReadonlyMap<string, TypedValue>): [string, unknown][] {
  return [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, jsonValue(value)]);
}

/** RFC 3339, UTC, six digits. */
function microseconds(timeMs: number): string {
  const whole = Math.floor(timeMs);
  const micros = Math.floor((timeMs - whole) * 1000);
  return new Date(whole).toISOString().replace("Z", `${String(micros).padStart(3, "0")}Z`);
}
