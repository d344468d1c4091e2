import { InvalidArgumentError } from "../../shared/base/index.ts";
import { ATTRIBUTES, closest, parseReference, referenceType } from "../../shared/model/index.ts";
import { MapBag, parseDurationMs, parseIp, type Value, type ValueType } from "../../shared/policy/index.ts";
import type { AttributeJson } from "../../shared/wire/index.ts";

const MAX_ATTRIBUTES = 1_000;

/** What people write, as rules read it. Throws InvalidArgumentError that names the attribute and what it must be. */
export function attributesFromJson(attributes: unknown): Map<string, Value> {
  if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes))
    throw new InvalidArgumentError("attributes: give an object of attributes and their values");
  const entries = Object.entries(attributes);
  if (entries.length > MAX_ATTRIBUTES)
    throw new InvalidArgumentError(`attributes: ${entries.length} are more than ${MAX_ATTRIBUTES}`);
  return new Map(entries.map(([reference, value]) => [reference, valueFrom(reference, value)]));
}

export function bagOf(attributes: ReadonlyMap<string, Value>): MapBag {
  return new MapBag(attributes);
}

function valueFrom(reference: string, json: unknown): Value {
  const type = referenceType(reference);
  if (type === undefined) throw new InvalidArgumentError(`attributes.${reference}: ${unknownAttribute(reference)}`);
  const value = READERS[type]?.(json as AttributeJson);
  if (value !== undefined) return value;
  const shown = JSON.stringify(json) ?? "nothing";
  throw new InvalidArgumentError(
    `attributes.${reference}: ${shown.slice(0, 80)} is not of type ${type}; give ${EXAMPLES[type] ?? "text"}`,
  );
}

function unknownAttribute(reference: string): string {
  const attribute = parseReference(reference)?.attribute ?? reference;
  if (ATTRIBUTES.has(attribute)) return "has no keys; leave the brackets out";
  const meant = closest(attribute, ATTRIBUTES.keys());
  return `no such attribute${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

const text = (json: AttributeJson): Value | undefined => (typeof json === "string" ? json : undefined);

const READERS: Readonly<Partial<Record<ValueType, (json: AttributeJson) => Value | undefined>>> = {
  STRING: text,
  EMAIL_ADDRESS: text,
  URI: text,
  DNS_NAME: text,
  INT64: (json) => (Number.isSafeInteger(json) ? (json as number) : undefined),
  DOUBLE: (json) => (typeof json === "number" ? json : undefined),
  BOOL: (json) => (typeof json === "boolean" ? json : undefined),
  TIMESTAMP(json) {
    const ms = typeof json === "string" ? Date.parse(json) : Number.NaN;
    return Number.isNaN(ms) ? undefined : ms;
  },
  DURATION: (json) => (typeof json === "string" ? parseDurationMs(json) : undefined),
  IP_ADDRESS: (json) => (typeof json === "string" ? parseIp(json) : undefined),
  STRING_MAP(json) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
    const entries = Object.entries(json);
    if (entries.some(([, each]) => typeof each !== "string")) return undefined;
    return Object.assign(Object.create(null), json) as Record<string, string>;
  },
};

const EXAMPLES: Readonly<Partial<Record<ValueType, string>>> = {
  INT64: "a whole number, such as 8080",
  DOUBLE: "a number",
  BOOL: "true or false",
  TIMESTAMP: "a time, such as 2026-01-15T09:30:00Z",
  DURATION: "a duration, such as 1.5s",
  IP_ADDRESS: "an address, such as 10.0.0.1",
  STRING_MAP: "an object of texts",
};
