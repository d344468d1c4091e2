import type { At } from "../reader.ts";
import { bool, int32, string } from "../scalars.ts";
import { checked, field, list, map, object, type Schema } from "../schema.ts";
import type { LoadBalancerSpec } from "../specs-networking.ts";
import { uint32 } from "./networking.ts";

/** Preference for instances that are near: `region/zone/sub-zone`, of which the end may be left out or be `*`. */

type Locality = NonNullable<LoadBalancerSpec["locality"]>;
type Distribution = Locality["distribute"][number];

const locality = checked(
  string(),
  (text, at) => {
    checkLocality(text, at);
    return text;
  },
  { format: "locality" },
);

function checkLocality(text: string, at: At): void {
  const parts = text.split("/");
  const isGood = parts.length <= 3 && !parts.includes("") && /^[^*]*\*?$/.test(text);
  if (!isGood)
    at.error(
      `${JSON.stringify(text)} is not a locality`,
      "write region, region/zone or region/zone/sub-zone; * may stand at the end",
    );
}

const distribution: Schema<Distribution> = checked(
  object({
    from: field(locality, "Where the caller is.", { required: true }),
    to: field(map(int32({ min: 1, max: 100 }), checkLocality), "Shares by locality; they add up to 100.", {
      required: true,
    }),
  }),
  (value, at): Distribution => {
    const to = Object.entries(value.to ?? {}).map(([name, weight]) => ({ locality: name, weight }));
    const total = to.reduce((sum, { weight }) => sum + weight, 0);
    if (total !== 100 && at.clean())
      at.errorOf("to", `the weights add up to ${total}, not 100`, "make them add up to 100");
    checkOverlap(
      to.map((each) => each.locality),
      at,
      "to",
    );
    return { from: value.from ?? "", to };
  },
);

/** Whether one of two localities is, or contains, the other. */
function overlaps(a: string, b: string): boolean {
  const parts = (text: string) => text.split("/").filter((part) => part !== "*");
  const [inner, outer] = [parts(a), parts(b)].sort((x, y) => y.length - x.length);
  return outer?.every((part, index) => inner?.[index] === part) ?? false;
}

function checkOverlap(names: readonly string[], at: At, name: string): void {
  const twin = names.find((each, index) => names.some((other, place) => place < index && overlaps(each, other)));
  if (twin !== undefined && at.clean()) at.errorOf(name, `${twin} overlaps with another locality`, "keep one of them");
}

const failover = checked(
  object({
    from: field(string(), "Region that has too few healthy instances.", { required: true }),
    to: field(string(), "Region that takes over.", { required: true }),
  }),
  ({ from = "", to = "" }, at) => {
    for (const [name, region] of [
      ["from", from],
      ["to", to],
    ] as const)
      if (/[/*]/.test(region)) at.errorOf(name, `${JSON.stringify(region)} is not a region`, "name the region alone");
    if (from === to && at.clean()) at.errorOf("to", "is the same region", "name another one");
    return { from, to };
  },
);

const NEAREST = "remove the field: the nearest locality with healthy instances takes over";
const TOPOLOGY = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

const others = {
  failover: field(list(failover), "Which region takes over from which.", { unsupported: { remedy: NEAREST } }),
  failoverPriority: field(list(string()), "Labels that make instances near, the most important first.", {
    unsupported: { remedy: NEAREST },
  }),
  enabled: field(bool(), "Whether near instances are preferred.", { default: "true" }),
};

interface Given {
  readonly distribute?: readonly Distribution[] | undefined;
  readonly failover?: readonly unknown[] | undefined;
  readonly failoverPriority?: readonly string[] | undefined;
}

function checkTogether({ distribute = [], failover: regions = [], failoverPriority = [] }: Given, at: At): void {
  if (distribute.length > 0 && regions.length > 0)
    at.errorOf("failover", "cannot be combined with distribute", "keep one of them");
  const both = failoverPriority.find((label) => TOPOLOGY.includes(label));
  if (both !== undefined && regions.length > 0)
    at.errorOf("failoverPriority", `${both} cannot be combined with failover`, "keep one of them");
  checkOverlap(
    distribute.map(({ from }) => from),
    at,
    "distribute",
  );
}

export const localityLbSetting: Schema<Locality> = checked(
  object({ distribute: field(list(distribution), "Shares of the requests by the caller's locality."), ...others }),
  (value, at): Locality => {
    checkTogether(value, at);
    const { distribute = [], enabled = true } = value;
    return { distribute: enabled ? distribute : [], failover: enabled && distribute.length === 0 };
  },
);

/** Of the whole mesh: whether near instances are preferred. */
export const localityFailover: Schema<boolean> = checked(
  object({
    distribute: field(list(distribution), "Shares of the requests by the caller's locality.", {
      unsupported: { remedy: "give it in a DestinationRule: shares are set for each service" },
    }),
    ...others,
  }),
  (value, at) => {
    checkTogether(value, at);
    return value.enabled ?? true;
  },
);

export const zoneAwareLbSetting = object({
  enabled: field(bool(), "Whether instances of the caller's zone are preferred."),
  failover: field(list(failover), "Which region takes over from which."),
  failoverPriority: field(list(string()), "Labels that make instances near."),
  minClusterSize: field(uint32(), "Instances below which zones do not count."),
});
