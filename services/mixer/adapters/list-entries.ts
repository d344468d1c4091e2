import {
  compilePattern,
  formatIp,
  isInCidr,
  type ListEntryType,
  parseCidr,
  parseIp,
} from "../../../shared/policy/index.ts";
import type { TypedValue } from "../values.ts";

/** A list, made for looking one value up. */
export interface EntryList {
  /** Undefined: the value is of no use for this kind of list. */
  has(value: TypedValue): boolean | undefined;
}

/** Entries that cannot be read are left out and given to `onBad`. */
export function buildEntryList(
  type: ListEntryType,
  entries: readonly string[],
  onBad: (entry: string) => void,
): EntryList {
  switch (type) {
    case "STRINGS": {
      const set = new Set(entries);
      return { has: (value) => set.has(textOf(value)) };
    }
    case "CASE_INSENSITIVE_STRINGS": {
      const set = new Set(entries.map((entry) => entry.toLowerCase()));
      return { has: (value) => set.has(textOf(value).toLowerCase()) };
    }
    case "IP_ADDRESSES": {
      const ranges = entries.flatMap((entry) => {
        const range = parseCidr(entry.trim());
        if (range === undefined) onBad(entry);
        return range ?? [];
      });
      return {
        has(value) {
          const bytes = parseIp(textOf(value));
          return bytes === undefined ? undefined : ranges.some((range) => isInCidr(range, bytes));
        },
      };
    }
    case "REGEX": {
      const patterns = entries.flatMap((entry) => {
        try {
          return compilePattern(entry);
        } catch {
          onBad(entry);
          return [];
        }
      });
      return { has: (value) => patterns.some((pattern) => pattern.matcher(textOf(value)).find()) };
    }
  }
}

function textOf({ value }: TypedValue): string {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? formatIp(value) : String(value);
}
