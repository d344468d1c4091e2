import { closest } from "./closest.ts";
import { parseDuration, suggestDuration } from "./duration.ts";
import { isDnsLabel } from "./hosts.ts";
import type { JsonObject } from "./resource.ts";
import { checked, isObject, kindOfValue, type Schema, shown } from "./schema.ts";

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

/** A DNS-1123 label. */
export function dnsLabel(): Schema<string> {
  return checked(string(), (value, at) => {
    if (isDnsLabel(value)) return value;
    return at.error(
      `${JSON.stringify(value)} is not a DNS label`,
      "use 1 to 63 lower case letters, digits and dashes, with a letter or digit first and last",
    );
  });
}

/** A whole number, by default any of 32 bits; a greater `max` makes it one of 64, exact up to 2^53. */
export function int32(limits: { readonly min?: number; readonly max?: number } = {}): Schema<number> {
  const min = limits.min ?? -2_147_483_648;
  const max = limits.max ?? 2_147_483_647;
  return {
    type: { type: max > 2_147_483_647 ? "int64" : "int32" },
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
    type: { type: "float" },
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

/** A duration such as "7s" or "15.500s", as milliseconds: at least 1 ms and whole milliseconds unless told otherwise. */
export function duration(rules: { readonly minMs?: number; readonly stepMs?: number } = {}): Schema<number> {
  const { minMs = 1, stepMs = 1 } = rules;
  return {
    type: { type: "duration" },
    read(value, path, reader) {
      const ms = typeof value === "string" ? parseDuration(value) : undefined;
      if (ms === undefined) {
        const meant = suggestDuration(value);
        const what = typeof value === "string" ? JSON.stringify(shown(value)) : kindOfValue(value);
        const remedy = meant === undefined ? "write seconds with the unit s" : `write "${meant}"`;
        return reader.error(path, value, `must be a duration such as "7s" or "0.500s", not ${what}`, remedy);
      }
      if (ms < minMs) return reader.error(path, value, `shorter than ${minMs} ms`, `give at least "${minMs / 1000}s"`);
      if (ms % stepMs !== 0) {
        const unit = stepMs === 1000 ? "seconds" : stepMs === 1 ? "milliseconds" : `multiples of ${stepMs} ms`;
        return reader.error(path, value, `must be whole ${unit}`, `round it to whole ${unit}`);
      }
      return { json: value, value: ms };
    },
  };
}

/** One of `names`, or its place in them. */
export function enumeration<const N extends string>(names: readonly N[]): Schema<N> {
  return {
    type: { type: "enum", values: names },
    read(value, path, reader) {
      const name = typeof value === "number" ? names[value] : names.find((candidate) => candidate === value);
      if (name !== undefined) return { json: value, value: name };
      const meant = typeof value === "string" ? closest(value, names) : undefined;
      const remedy = meant === undefined ? `write one of ${names.join(", ")}` : `did you mean ${meant}?`;
      return reader.error(path, value, `must be one of ${names.join(", ")}`, remedy);
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
