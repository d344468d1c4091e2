import type { FieldError, JsonObject, JsonValue } from "./resource.ts";

/**
 * Fields that are read and judged in full, but whose effect does not exist yet. Applying one is refused rather than
 * accepted without effect: a rule that silently does less than it says is worse than none. An entry goes away when
 * its effect arrives, and nothing else changes.
 */
interface Unsupported {
  /** Below the spec. */
  readonly field: string;
  /** The values that ask for nothing. */
  readonly harmless?: readonly JsonValue[];
  readonly remedy: string;
}

const FOREIGN = "only the proxy that it was written for could read it";
const LATER = "remove the field; a later release brings its effect";

/** By kind. */
export const NOT_SUPPORTED_YET: Readonly<Record<string, readonly Unsupported[]>> = {
  RouteRule: [
    { field: "match.tcp", remedy: LATER },
    { field: "match.udp", remedy: "remove the field: UDP does not pass through the mesh" },
    { field: "l4Fault", remedy: "use httpFault: only HTTP passes through the proxy" },
    { field: "httpReqTimeout.custom", remedy: `use simpleTimeout: ${FOREIGN}` },
    { field: "httpReqRetries.custom", remedy: `use simpleRetry: ${FOREIGN}` },
    {
      field: "httpFault.abort.http2Error",
      remedy: "use httpStatus or grpcStatus: requests reach the proxy in HTTP/1.1, which has no such errors",
    },
  ],
  DestinationPolicy: [
    { field: "loadBalancing.custom", remedy: `use name (ROUND_ROBIN, LEAST_CONN or RANDOM): ${FOREIGN}` },
    { field: "circuitBreaker.custom", remedy: `use simpleCb: ${FOREIGN}` },
    { field: "custom", remedy: `use loadBalancing and circuitBreaker: ${FOREIGN}` },
  ],
  IngressRule: [
    { field: "port", harmless: [0, 80, "0", "80"], remedy: "leave the port out: the gateway has one HTTP port" },
    { field: "tlsSecret", harmless: [""], remedy: LATER },
    { field: "match.tcp", remedy: LATER },
    { field: "match.udp", remedy: "remove the field: UDP does not pass through the mesh" },
  ],
};

/** One error for each field of a canonical spec that has no effect yet: `not supported yet: <field path>`. */
export function unsupportedFields(kind: string, spec: JsonObject, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const { field, harmless, remedy } of NOT_SUPPORTED_YET[kind] ?? []) {
    let value: JsonValue | undefined = spec;
    for (const name of field.split(".")) value = childOf(value, name);
    if (value === undefined || harmless?.includes(value)) continue;
    const at = `${path}.${field}`;
    errors.push({
      path: at,
      value: typeof value === "object" ? null : value,
      reason: `not supported yet: ${at}`,
      remedy,
    });
  }
  return errors;
}

function childOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
    return undefined;
  return (value as JsonObject)[name];
}
