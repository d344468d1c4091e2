import { expect, repeat, showTally, type TourStep, tally } from "./step.ts";

/** Steps 9 and 10: Mixer refuses by label and by quota. */

const denyByLabel: TourStep = {
  title: "mixer-rule-deny-label: reviews v3 may not call ratings, v2 may",
  async run({ mesh, gateway, topology }) {
    await mesh.applyFiles("mixer-rule-deny-label");
    const ratingsFrom = (workload: string) =>
      gateway.through(topology.sidecarPorts.get(workload)?.outbound ?? 0, "http://ratings:9080/ratings/0");
    const [fromV2, fromV3] = await Promise.all([ratingsFrom("reviews-v2"), ratingsFrom("reviews-v3")]);
    expect(fromV2.status === 200, `v2 -> ratings answered ${fromV2.status}`);
    expect(fromV3.status === 403, `v3 -> ratings answered ${fromV3.status}`);
    const seen = tally(await repeat(30, 4, () => gateway.reviewsVersion()));
    expect(
      seen["v3"] === undefined && (seen["v2"] ?? 0) > 0 && (seen["unavailable"] ?? 0) > 0,
      `pages: ${showTally(seen)}`,
    );
    return `v2 -> ratings ${fromV2.status}, v3 -> ratings ${fromV3.status}; 30 visitors: ${showTally(seen)}`;
  },
};

const quota: TourStep = {
  title: "a Redis quota of 20 in 60 s on ratings, counted by two Mixers together",
  async run({ mesh, gateway }) {
    await mesh.applyFiles("mixer-rule-ratings-ratelimit-redis");
    const statuses = tally(
      await repeat(40, 4, async () => String((await gateway.get("/api/v1/products/0/ratings")).status)),
    );
    expect(statuses["200"] === 20 && statuses["429"] === 20, `40 requests: ${showTally(statuses)}`);
    return `40 requests: ${showTally(statuses)}`;
  },
};

export const POLICY_STEPS: readonly TourStep[] = [denyByLabel, quota];
