import type { At } from "../reader.ts";
import { bool, enumeration, float, int32, string, text } from "../scalars.ts";
import { checked, field, list, object, oneOf, type Schema } from "../schema.ts";
import type { HashSpec, LoadBalancerSpec } from "../specs-networking.ts";
import { localityLbSetting, zoneAwareLbSetting } from "./locality-balancing.ts";
import { span, uint32 } from "./networking.ts";

/** How an instance is chosen. */

type ConsistentHash = NonNullable<LoadBalancerSpec["consistentHash"]>;
type Warmup = NonNullable<LoadBalancerSpec["warmup"]>;

const headerName = checked(
  text("the header's name"),
  (name, at) =>
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)
      ? name.toLowerCase()
      : at.error(`${JSON.stringify(name)} is not a header name`, "use letters, digits and dashes"),
  { format: "header name" },
);

const cookie = checked(
  object({
    name: field(text("the cookie's name"), "Name of the cookie.", { required: true }),
    path: field(string(), "Path of the cookie where it is made.", { default: "none" }),
    ttl: field(
      span({ minMs: 0 }),
      "Makes the cookie where the client has none, for this long; 0s: for the browser's session.",
      {
        default: "not made",
      },
    ),
    attributes: field(
      list(
        object({
          name: field(text("the attribute's name"), "Name of the attribute.", { required: true }),
          value: field(string(), "Its value."),
        }),
      ),
      "Further attributes of the cookie where it is made.",
      { unsupported: { remedy: "remove the field: the cookie has Max-Age, Path and HttpOnly" } },
    ),
  }),
  (value) => ({ name: value.name ?? "", path: value.path ?? "", ttlMs: value.ttl === 0 ? -1 : (value.ttl ?? 0) }),
);

const MAX_RING = 8_388_608;
const MAX_TABLE = 5_000_010;
const DEFAULT_TABLE = 65_537;

function isPrime(number: number): boolean {
  if (number < 4) return number > 1;
  if (number % 2 === 0) return false;
  for (let factor = 3; factor * factor <= number; factor += 2) if (number % factor === 0) return false;
  return true;
}

const tableSize = checked(int32({ min: 2, max: MAX_TABLE }), (size, at) =>
  isPrime(size) ? size : at.error(`${size} is not a prime`, `write a prime such as ${DEFAULT_TABLE}`),
);

const ringSize = int32({ min: 0, max: MAX_RING });

const consistentHash: Schema<ConsistentHash> = checked(
  object(
    {
      httpHeaderName: field(headerName, "By the value of this header."),
      httpCookie: field(cookie, "By the value of this cookie."),
      useSourceIp: field(bool(), "By the caller's address."),
      httpQueryParameterName: field(text("the parameter's name"), "By the value of this query parameter."),
      ringHash: field(
        object({ minimumRingSize: field(ringSize, "Entries of the ring at least.", { default: "1024" }) }),
        "A ring of hashes.",
        { default: "this one" },
      ),
      maglev: field(
        object({ tableSize: field(tableSize, "Size of the table, a prime.", { required: true }) }),
        "Maglev's table.",
      ),
      minimumRingSize: field(ringSize, "Entries of the ring at least.", { deprecated: "use ringHash.minimumRingSize" }),
    },
    [oneOf("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"), oneOf("ringHash", "maglev")],
  ),
  (value, at): ConsistentHash | undefined => {
    for (const name of ["ringHash", "maglev"])
      if (value.minimumRingSize !== undefined && at.has(name))
        at.errorOf("minimumRingSize", `cannot be combined with ${name}`, "keep one of them");
    const hash = hashOf(value);
    if (hash === undefined) {
      if (at.clean())
        at.error(
          "names nothing to hash",
          "give httpHeaderName, httpCookie, useSourceIp: true or httpQueryParameterName",
        );
      return undefined;
    }
    return {
      hash,
      algorithm: value.maglev === undefined ? "RING_HASH" : "MAGLEV",
      tableSize: value.maglev?.tableSize ?? value.ringHash?.minimumRingSize ?? value.minimumRingSize ?? 0,
    };
  },
);

function hashOf(value: {
  readonly httpHeaderName?: string | undefined;
  readonly httpCookie?: { readonly name: string; readonly path: string; readonly ttlMs: number } | undefined;
  readonly useSourceIp?: boolean | undefined;
  readonly httpQueryParameterName?: string | undefined;
}): HashSpec | undefined {
  if (value.httpHeaderName !== undefined) return { header: value.httpHeaderName };
  if (value.httpCookie !== undefined) return { cookie: value.httpCookie };
  if (value.httpQueryParameterName !== undefined) return { queryParameter: value.httpQueryParameterName };
  return value.useSourceIp === true ? { sourceIp: true } : undefined;
}

const aggression = checked(float({ min: 0, max: 1000 }), (number, at) =>
  number > 0 ? number : at.error("must be more than 0", "give 1 for a straight line, more for a quick start"),
);

const warmup: Schema<Warmup> = checked(
  object({
    duration: field(span(), "How long a new instance gets fewer requests than the others.", { required: true }),
    minimumPercent: field(float({ min: 0, max: 100 }), "Share of its requests that it gets at first.", {
      default: "10",
    }),
    aggression: field(aggression, "How its share grows: 1 evenly, more: sooner.", { default: "1" }),
  }),
  (value): Warmup => ({
    windowMs: value.duration ?? 0,
    aggression: value.aggression ?? 0,
    minPercent: value.minimumPercent ?? 0,
  }),
);

const backendUtilization = object({
  weightStabilizationPeriod: field(span({ minMs: 0 }), "How long reports are gathered first."),
  weightExpirationPeriod: field(span({ minMs: 0 }), "How long a report counts."),
  weightUpdatePeriod: field(span({ minMs: 0 }), "How often weights change."),
  errorUtilizationPenaltyPercent: field(uint32(), "How much errors count."),
  metricNamesForComputingUtilization: field(list(string()), "Metrics that say how busy an instance is."),
});

const ANY_OTHER = "use simple LEAST_REQUEST: instances report no load";

const fields = object(
  {
    simple: field(
      enumeration(["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"], {
        deprecated: { LEAST_CONN: "write LEAST_REQUEST" },
      }),
      "LEAST_REQUEST: the less busy of two; PASSTHROUGH: the address that was called.",
      { default: "ROUND_ROBIN" },
    ),
    consistentHash: field(consistentHash, "The same instance for the same header, cookie, address or parameter."),
    backendUtilization: field(backendUtilization, "By the load that instances report.", {
      unsupported: { remedy: ANY_OTHER },
    }),
    localityLbSetting: field(localityLbSetting, "Preference for near instances.", { default: "as MeshConfig says" }),
    zoneAwareLbSetting: field(zoneAwareLbSetting, "Preference for instances of the caller's zone.", {
      unsupported: { remedy: "use localityLbSetting" },
    }),
    warmupDurationSecs: field(span(), "How long a new instance gets fewer requests than the others.", {
      deprecated: "use warmup.duration",
    }),
    warmup: field(warmup, "A slow start for new instances."),
  },
  [oneOf("simple", "consistentHash", "backendUtilization"), oneOf("localityLbSetting", "zoneAwareLbSetting")],
);

export const loadBalancer: Schema<LoadBalancerSpec> = checked(fields, (value, at): LoadBalancerSpec => {
  warnOfWarmup(value.simple, at);
  const simple = value.simple === "LEAST_CONN" ? "LEAST_REQUEST" : value.simple;
  const window = value.warmupDurationSecs;
  return {
    simple: simple === "UNSPECIFIED" ? undefined : simple,
    consistentHash: value.consistentHash,
    locality: value.localityLbSetting,
    warmup: value.warmup ?? (window === undefined ? undefined : { windowMs: window, aggression: 0, minPercent: 0 }),
  };
});

/** Only balancers that know weights can begin slowly. */
function warnOfWarmup(simple: string | undefined, at: At): void {
  const takesNone = at.has("consistentHash") || simple === "RANDOM" || simple === "PASSTHROUGH";
  for (const name of ["warmup", "warmupDurationSecs"])
    if (takesNone && at.has(name)) at.warnOf(name, "has no effect", "use ROUND_ROBIN or LEAST_REQUEST");
}
