import type { FieldError, JsonValue } from "../../shared/model/index.ts";
import type { ApplyResult } from "./apply.ts";

/*
 * A submission may hold a thousand documents with a hundred faults each, and quote itself in every one: its answer
 * would be many times larger than a message may be, and whoever sent it would learn nothing at all. So an answer that
 * is too large is told in less detail, step by step, until it fits; no result is ever left out.
 */

interface Detail {
  /** Errors of one document. */
  readonly errors: number;
  /** Characters of one text. */
  readonly text: number;
}

const DETAILS: readonly Detail[] = [
  { errors: 100, text: 2_000 },
  { errors: 10, text: 500 },
  { errors: 1, text: 200 },
  { errors: 1, text: 60 },
];

/** The results in as much detail as fits into `maxBytes` of JSON. */
export function fitResults(results: readonly ApplyResult[], maxBytes: number): readonly ApplyResult[] {
  let fitted = results;
  for (const detail of DETAILS) {
    if (Buffer.byteLength(JSON.stringify(fitted)) <= maxBytes) break;
    fitted = results.map((result) => ({
      ...result,
      errors: shortened(result.errors, detail),
      warnings: shortened(result.warnings, detail),
    }));
  }
  return fitted;
}

function shortened(errors: readonly FieldError[], detail: Detail): FieldError[] {
  const kept = errors.slice(0, detail.errors).map((error) => ({
    ...error,
    path: cut(error.path, detail.text),
    value: cutValue(error.value, detail.text),
    reason: cut(error.reason, detail.text),
    remedy: cut(error.remedy, detail.text),
  }));
  const more = errors.length - kept.length;
  const last = kept.at(-1);
  if (more > 0 && last !== undefined) kept[kept.length - 1] = { ...last, remedy: `${last.remedy} (and ${more} more)` };
  return kept;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}

function cutValue(value: JsonValue, length: number): JsonValue {
  const text = JSON.stringify(value);
  return text.length <= length ? value : cut(typeof value === "string" ? value : text, length);
}
