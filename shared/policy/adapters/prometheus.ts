import {
  checked,
  enumeration,
  field,
  float,
  int32,
  list,
  object,
  oneOf,
  type Schema,
  string,
} from "../../model/index.ts";
import { instanceName } from "../fields.ts";
import type { PrometheusMetricParams, PrometheusParams } from "../parameters.ts";

const MAX_BUCKETS = 200;

const count = int32({ min: 1, max: MAX_BUCKETS });
const number = float({ min: -1e300, max: 1e300 });

const linear = checked(
  object({
    numFiniteBuckets: field(count, "How many, besides the two open ones.", { required: true }),
    width: field(number, "Width of each.", { required: true }),
    offset: field(number, "Where the first one starts.", { default: "0" }),
  }),
  ({ numFiniteBuckets, width, offset }, at) => {
    if (numFiniteBuckets === undefined || width === undefined) return undefined;
    if (width <= 0) return at.errorOf("width", "must be more than 0", "give a positive width");
    return Array.from({ length: numFiniteBuckets + 1 }, (_, i) => (offset ?? 0) + i * width);
  },
);

const exponential = checked(
  object({
    numFiniteBuckets: field(count, "How many, besides the two open ones.", { required: true }),
    growthFactor: field(number, "How much wider each is than the one before.", { required: true }),
    scale: field(number, "Where the first one starts.", { required: true }),
  }),
  ({ numFiniteBuckets, growthFactor, scale }, at) => {
    if (numFiniteBuckets === undefined || growthFactor === undefined || scale === undefined) return undefined;
    if (growthFactor <= 1) return at.errorOf("growthFactor", "must be more than 1", "give a larger factor");
    if (scale <= 0) return at.errorOf("scale", "must be more than 0", "give a positive scale");
    const bounds = Array.from({ length: numFiniteBuckets + 1 }, (_, i) => scale * growthFactor ** i);
    return bounds.every(Number.isFinite)
      ? bounds
      : at.error("grows beyond any number", "use fewer buckets or a smaller factor");
  },
);

const explicit = checked(
  object({ bounds: field(list(number), "Upper bounds, ascending.", { required: true }) }),
  ({ bounds }, at) => {
    if (bounds === undefined || !at.clean("bounds")) return undefined;
    if (bounds.length === 0) return at.errorOf("bounds", "is empty", "give at least one bound");
    if (bounds.length > MAX_BUCKETS) return at.errorOf("bounds", `more than ${MAX_BUCKETS} bounds`, "use fewer");
    const isAscending = bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] ?? bound));
    return isAscending ? bounds : at.errorOf("bounds", "must ascend", "sort the bounds, each once");
  },
);

const buckets = checked(
  object(
    {
      linearBuckets: field(linear, "Equally wide ones."),
      exponentialBuckets: field(exponential, "Each wider than the last by a factor."),
      explicitBuckets: field(explicit, "Bounds one by one."),
    },
    [oneOf("linearBuckets", "exponentialBuckets", "explicitBuckets")],
  ),
  ({ linearBuckets, exponentialBuckets, explicitBuckets }) => linearBuckets ?? exponentialBuckets ?? explicitBuckets,
);

/** What a metric is shown as: `requests` is `istio_requests`; `/`, dots and blanks become `_`, dashes go. */
export function prometheusName({ name, instanceName: instance }: { name: string; instanceName: string }): string {
  return `istio_${(name === "" ? instance : name).replace(/^\//, "").replace(/[/. ]/g, "_").replaceAll("-", "")}`;
}

const labelName = checked(string(), (text, at) => {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !text.startsWith("__")) return text;
  return at.error(
    `${JSON.stringify(text)} is not a name of a Prometheus label`,
    "use letters, digits and single underscores",
  );
});

const metric = checked(
  object({
    name: field(string(), "Name of the metric, shown as istio_<name>.", { default: "the instance's" }),
    instanceName: field(instanceName("metric"), "Full name of the metric instance.", { required: true }),
    description: field(string(), "Help text.", { default: "the name" }),
    kind: field(enumeration(["UNSPECIFIED", "GAUGE", "COUNTER", "DISTRIBUTION"]), "GAUGE, COUNTER or DISTRIBUTION.", {
      required: true,
    }),
    buckets: field(buckets, "Of a distribution.", { default: "the usual ones of Prometheus" }),
    labelNames: field(list(labelName), "Dimensions of the instance that are shown."),
  }),
  ({ name, instanceName: instance, description, kind, buckets: bounds, labelNames }, at): PrometheusMetricParams => {
    if (kind === "UNSPECIFIED") at.errorOf("kind", "must be GAUGE, COUNTER or DISTRIBUTION", "write one of them");
    if (kind !== "DISTRIBUTION" && at.has("buckets"))
      at.errorOf("buckets", "only a DISTRIBUTION has buckets", "remove them, or change kind");
    const repeated = labelNames?.find((label, i) => labelNames.indexOf(label) !== i);
    if (repeated !== undefined) at.errorOf("labelNames", `${repeated} is given twice`, "keep one of them");
    // One name that no scraper can read costs it the whole page.
    const exposed = prometheusName({ name: name ?? "", instanceName: instance ?? "x" });
    if (!/^[A-Za-z0-9_:]+$/.test(exposed))
      at.errorOf(
        name ? "name" : "instanceName",
        `${exposed} is not a name of a Prometheus metric`,
        "use letters, digits and underscores, or give the metric such a name",
      );
    if (kind === "DISTRIBUTION" && labelNames?.includes("le"))
      at.errorOf("labelNames", "le is what a DISTRIBUTION's buckets are told apart by", "use another name");
    return {
      name: name ?? "",
      instanceName: instance ?? "",
      description: description ?? "",
      kind: kind === undefined || kind === "UNSPECIFIED" ? "COUNTER" : kind,
      bounds,
      labelNames: labelNames ?? [],
    };
  },
);

export const PROMETHEUS: Schema<PrometheusParams> = checked(
  object({ metrics: field(list(metric), "What is shown.") }),
  ({ metrics }, at) => {
    const seen = new Set<string>();
    for (const { name, instanceName: instance } of metrics ?? []) {
      if (name === "" && instance === "") continue;
      const shown = prometheusName({ name, instanceName: instance });
      if (seen.has(shown)) at.errorOf("metrics", `two metrics named ${shown}`, "give each a name of its own");
      seen.add(shown);
    }
    return { metrics: metrics ?? [] };
  },
);
