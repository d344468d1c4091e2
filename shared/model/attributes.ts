import type { AttributeValueInput, AttributeValue as WireAttribute } from "../wire/index.ts";

/**
 * The words in which proxies tell Mixer about requests, and their types. The vocabulary is closed: an expression that
 * names another attribute is refused at apply. A string map can be referred to as a whole or by one key,
 * `request.headers[x-user]`, and a check depends only on the keys that it looked at.
 */

export const VALUE_TYPES = [
  "STRING",
  "INT64",
  "DOUBLE",
  "BOOL",
  "TIMESTAMP",
  "IP_ADDRESS",
  "EMAIL_ADDRESS",
  "URI",
  "DNS_NAME",
  "DURATION",
  "STRING_MAP",
] as const;

export type ValueType = (typeof VALUE_TYPES)[number];

/**
 * By type: STRING text, INT64 and DOUBLE numbers, BOOL, TIMESTAMP milliseconds since the Unix epoch, DURATION
 * milliseconds, IP_ADDRESS 4 or 16 bytes, STRING_MAP an object without prototype. The rest is text.
 */
export type AttributeValue = string | number | boolean | Uint8Array | Readonly<Record<string, string>>;

export interface AttributeReference {
  readonly attribute: string;
  /** The key of a string map, verbatim. */
  readonly key: string | undefined;
}

const BY_TYPE: Readonly<Partial<Record<ValueType, readonly string[]>>> = {
  STRING: [
    "source.uid",
    "source.service",
    "source.name",
    "source.namespace",
    "source.serviceAccount",
    "source.user",
    "source.workload",
    "source.principal",
    "destination.uid",
    "destination.service",
    "destination.name",
    "destination.namespace",
    "destination.serviceAccount",
    "destination.user",
    "destination.workload",
    "destination.principal",
    "origin.uid",
    "origin.user",
    "request.id",
    "request.path",
    "request.host",
    "request.method",
    "request.useragent",
    "request.referer",
    "request.scheme",
    "request.reason",
    "request.api_key",
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "request.auth.user",
    "connection.id",
    "context.protocol",
    "context.reporter.kind",
    "api.service",
    "api.version",
    "api.operation",
    "api.protocol",
    "check.error_message",
  ],
  INT64: [
    "source.port",
    "destination.port",
    "request.size",
    "response.size",
    "response.code",
    "connection.received.bytes",
    "connection.received.bytes_total",
    "connection.sent.bytes",
    "connection.sent.bytes_total",
    "check.error_code",
  ],
  BOOL: ["connection.mtls", "check.cache_hit", "quota.cache_hit"],
  TIMESTAMP: ["request.time", "response.time", "context.time", "context.timestamp"],
  DURATION: ["response.duration", "connection.duration"],
  IP_ADDRESS: ["source.ip", "destination.ip", "origin.ip"],
  STRING_MAP: ["source.labels", "destination.labels", "request.headers", "response.headers", "request.auth.claims"],
};

/** The vocabulary: every attribute and its type. */
export const ATTRIBUTES: ReadonlyMap<string, ValueType> = new Map(
  VALUE_TYPES.flatMap((type) => (BY_TYPE[type] ?? []).map((name): [string, ValueType] => [name, type])),
);

/** The type of an attribute, undefined when the vocabulary has none of that name. */
export function attributeType(attribute: string): ValueType | undefined {
  return ATTRIBUTES.get(attribute);
}

/** Takes `request.path` or `request.headers[x-user]` apart; undefined for text that is neither. */
export function parseReference(text: string): AttributeReference | undefined {
  const bracket = text.indexOf("[");
  if (bracket < 0) return text === "" ? undefined : { attribute: text, key: undefined };
  if (bracket === 0 || !text.endsWith("]")) return undefined;
  return { attribute: text.slice(0, bracket), key: text.slice(bracket + 1, -1) };
}

export function formatReference(attribute: string, key?: string): string {
  return key === undefined ? attribute : `${attribute}[${key}]`;
}

/** The type of what a reference means, undefined when it means nothing. */
export function referenceType(text: string): ValueType | undefined {
  const reference = parseReference(text);
  const type = reference === undefined ? undefined : attributeType(reference.attribute);
  if (reference?.key === undefined) return type;
  return type === "STRING_MAP" ? "STRING" : undefined;
}

/** The value of a reference for the wire; undefined when its type is not the vocabulary's. */
export function toWireAttribute(reference: string, value: AttributeValue): AttributeValueInput | undefined {
  switch (referenceType(reference)) {
    case "STRING":
    case "EMAIL_ADDRESS":
    case "URI":
    case "DNS_NAME":
      return typeof value === "string" ? { string: value } : undefined;
    case "INT64":
      return typeof value === "number" ? { int64: value } : undefined;
    case "DOUBLE":
      return typeof value === "number" ? { double: value } : undefined;
    case "BOOL":
      return typeof value === "boolean" ? { bool: value } : undefined;
    case "TIMESTAMP":
      return typeof value === "number" ? { timestampMs: value } : undefined;
    case "DURATION":
      return typeof value === "number" ? { durationMs: value } : undefined;
    case "IP_ADDRESS":
      return value instanceof Uint8Array ? { ipAddress: value } : undefined;
    case "STRING_MAP":
      return isStringMap(value) ? { stringMap: { entries: { ...value } } } : undefined;
    case undefined:
      return undefined;
  }
}

/** The value that came over the wire for a reference; undefined when it is not of the vocabulary's type. */
export function fromWireAttribute(reference: string, wire: WireAttribute): AttributeValue | undefined {
  switch (referenceType(reference)) {
    case "STRING":
    case "EMAIL_ADDRESS":
    case "URI":
    case "DNS_NAME":
      return given(wire, "string") ? (wire.string ?? undefined) : undefined;
    case "INT64":
      return given(wire, "int64") ? finite(wire.int64) : undefined;
    case "DOUBLE":
      return given(wire, "double") ? (wire.double ?? undefined) : undefined;
    case "BOOL":
      return given(wire, "bool") ? (wire.bool ?? undefined) : undefined;
    case "TIMESTAMP":
      return given(wire, "timestampMs") ? finite(wire.timestampMs) : undefined;
    case "DURATION":
      return given(wire, "durationMs") ? finite(wire.durationMs) : undefined;
    case "IP_ADDRESS": {
      const bytes = given(wire, "ipAddress") ? wire.ipAddress : undefined;
      return bytes?.length === 4 || bytes?.length === 16 ? bytes : undefined;
    }
    case "STRING_MAP": {
      if (!given(wire, "stringMap")) return undefined;
      const map: Record<string, string> = Object.create(null);
      for (const [key, value] of Object.entries(wire.stringMap?.entries ?? {})) map[key] = value;
      return map;
    }
    case undefined:
      return undefined;
  }
}

function given(wire: WireAttribute, variant: NonNullable<WireAttribute["value"]>): boolean {
  return wire.value === variant;
}

function finite(value: number | null | undefined): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function isStringMap(value: AttributeValue): value is Readonly<Record<string, string>> {
  return typeof value === "object" && !(value instanceof Uint8Array);
}
