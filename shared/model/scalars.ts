import { closest } from "./closest.ts";
import { parseAnyDuration, parseDuration, suggestDuration } from "./duration.ts";
import { isDnsLabel, isFqdn } from "./hosts.ts";
import { type At, isObject, kindOfValue, shown } from "./reader.ts";
import type { JsonObject } from "./resource.ts";
import { checked, type Schema } from "./schema.ts";

/** Text. Numbers and booleans are not silently turned into it. */
export function string(): Schema<string> {
  return {
    type: { type: "string" },
    read(value, path, reader) {
      if (typeof value === "string") return { json: value, value };
      const simple = typeof value === "number" || typeof value === "boolean";
      return reader.error(
        path,
        value,
        `must be text, not ${kindOfValue(value)}`,
        simple ? `put it in quotes: "${value}"` : "give one text value",
      );
    },
  };
}

/** Text that is not empty; `what` it must name. */
export function text(what: string): Schema<string> {
  return checked(string(), (value, at) => (value === "" ? at.error("is empty", `give ${what}`) : value), {
    minLength: 1,
  });
}

/** A DNS-1123 label. */
export function dnsLabel(): Schema<string> {
  const check = (value: string, at: At) =>
    isDnsLabel(value)
      ? value
      : at.error(
          `${JSON.stringify(value)} is not a DNS label`,
          "use 1 to 63 lower case letters, digits and dashes, with a letter or digit first and last",
        );
  return checked(string(), check, { format: "DNS label", pattern: "^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$" });
}

/** As a DNS-1123 label, in any letter case: names of subsets and ports, which no DNS server sees. */
export function anyCaseLabel(): Schema<string> {
  const check = (value: string, at: At) =>
    isDnsLabel(value.toLowerCase())
      ? value
      : at.error(
          `${JSON.stringify(value)} is not a DNS label`,
          "use 1 to 63 letters, digits and dashes, with a letter or digit first and last",
        );
  return checked(string(), check, {
    format: "DNS label, any case",
    pattern: "^[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
  });
}

/** DNS-1123 labels with dots between them, as Kubernetes names resources. */
export function dnsName(): Schema<string> {
  const check = (value: string, at: At) =>
    isFqdn(value)
      ? value
      : at.error(
          `${JSON.stringify(value)} is not a DNS name`,
          "use lower case letters, digits, dashes and dots, at most 63 characters between dots, with a letter or digit first and last",
        );
  return checked(string(), check, { format: "DNS name" });
}

/** A whole number, by default any of 32 bits; a greater `max` makes it one of 64, exact up to 2^53. */
export function int32(limits: { readonly min?: number; readonly max?: number } = {}): Schema<number> {
  const min = limits.min ?? -2_147_483_648;
  const max = limits.max ?? 2_147_483_647;
  return {
    type: { type: max > 4_294_967_295 ? "int64" : "int32", min, max },
    read(value, path, reader) {
      const given = typeof value === "string" && /^-?\d{1,16}$/.test(value) ? Number(value) : value;
      if (typeof given !== "number" || !Number.isInteger(given)) {
        return reader.error(
          path,
          value,
          `must be a whole number, not ${kindOfValue(value)}`,
          `give a whole number ${range(min, max)}`,
        );
      }
      if (given < min || given > max) {
        return reader.error(
          path,
          value,
          `${given} is not ${range(min, max)}`,
          `give a whole number ${range(min, max)}`,
        );
      }
      return { json: value, value: given };
    },
  };
}

function range(min: number, max: number): string {
  if (max === 2_147_483_647) return min === -2_147_483_648 ? "of 32 bits" : `of ${min} or more`;
  return `between ${min} and ${max}`;
}

/** A number between min and max, both included. */
export function float(limits: { readonly min: number; readonly max: number }): Schema<number> {
  return {
    type: { type: "float", min: limits.min, max: limits.max },
    read(value, path, reader) {
      const given = typeof value === "string" && /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
      const remedy = `give a number ${range(limits.min, limits.max)}`;
      if (typeof given !== "number")
        return reader.error(path, value, `must be a number, not ${kindOfValue(value)}`, remedy);
      if (!(given >= limits.min && given <= limits.max)) {
        return reader.error(path, value, `${given} is not ${range(limits.min, limits.max)}`, remedy);
      }
      return { json: value, value: given };
    },
  };
}

export function bool(): Schema<boolean> {
  return {
    type: { type: "bool" },
    read(value, path, reader) {
      if (typeof value === "boolean") return { json: value, value };
      return reader.error(
        path,
        value,
        `must be true or false, not ${kindOfValue(value)}`,
        "write true or false, without quotes",
      );
    },
  };
}

interface DurationRules {
  /** Default 1. */
  readonly minMs?: number;
  /** Default 1. */
  readonly stepMs?: number;
  readonly maxMs?: number;
  /** Go's units too, such as "5m" and "1h30m". */
  readonly anyUnit?: boolean;
}

/** A duration such as "7s" or "15.500s", as milliseconds: at least 1 ms and whole milliseconds unless told otherwise. */
export function duration(rules: DurationRules = {}): Schema<number> {
  const { minMs = 1, stepMs = 1, maxMs = Number.POSITIVE_INFINITY, anyUnit = false } = rules;
  return {
    type: { type: "duration", minMs, ...(anyUnit && { anyUnit }) },
    read(value, path, reader) {
      const parse = (given: string) => parseDuration(given) ?? (anyUnit ? parseAnyDuration(given) : undefined);
      const ms = typeof value === "string" ? parse(value) : undefined;
      if (ms === undefined) {
        const meant = suggestDuration(value);
        const what = typeof value === "string" ? JSON.stringify(shown(value)) : kindOfValue(value);
        const remedy = meant === undefined ? "write seconds with the unit s" : `write "${meant}"`;
        return reader.error(path, value, `must be a duration such as "7s" or "0.500s", not ${what}`, remedy);
      }
      if (ms < minMs) return reader.error(path, value, `shorter than ${minMs} ms`, `give at least "${minMs / 1000}s"`);
      if (ms > maxMs) return reader.error(path, value, `longer than ${maxMs} ms`, `give at most "${maxMs / 1000}s"`);
      if (ms % stepMs !== 0) {
        const unit = stepMs === 1000 ? "seconds" : stepMs === 1 ? "milliseconds" : `multiples of ${stepMs} ms`;
        return reader.error(path, value, `must be whole ${unit}`, `round it to whole ${unit}`);
      }
      return { json: value, value: ms };
    },
  };
}

interface EnumerationRules<N extends string> {
  /** Judged and then refused, with what to write instead. */
  readonly refused?: Readonly<Partial<Record<N, string>>>;
  /** Accepted with a warning, with what to write instead. */
  readonly deprecated?: Readonly<Partial<Record<N, string>>>;
}

/** One of `names`, or its place in them; "" is a place that has no name. */
export function enumeration<const N extends string>(names: readonly N[], rules: EnumerationRules<N> = {}): Schema<N> {
  const known = names.filter((name) => name !== "");
  const { refused, deprecated } = rules;
  return {
    type: {
      type: "enum",
      values: known,
      ...(refused && { refusedValues: refused as Readonly<Record<string, string>> }),
      ...(deprecated && { deprecatedValues: deprecated as Readonly<Record<string, string>> }),
    },
    read(value, path, reader) {
      const name = typeof value === "number" ? names[value] : known.find((candidate) => candidate === value);
      if (name !== undefined && name !== "") {
        const remedy = refused?.[name];
        if (remedy !== undefined) reader.refuse(path, value, remedy);
        const instead = deprecated?.[name];
        if (instead !== undefined) reader.warn(path, value, "deprecated", instead);
        return { json: value, value: name };
      }
      const meant = typeof value === "string" ? closest(value, known) : undefined;
      const remedy = meant === undefined ? `write one of ${known.join(", ")}` : `did you mean ${meant}?`;
      return reader.error(path, value, `must be one of ${known.join(", ")}`, remedy);
    },
  };
}

/** Any object, taken as it is. */
export function anyObject(): Schema<JsonObject> {
  return {
    type: { type: "object" },
    read(value, path, reader) {
      if (isObject(value)) return { json: value, value };
      return reader.error(path, value, `must be an object, not ${kindOfValue(value)}`, "give an object");
    },
  };
}
