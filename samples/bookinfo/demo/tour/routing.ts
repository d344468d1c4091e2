import { type GatewayClient, versionByStars } from "./gateway-client.ts";
import { expect, repeat, showTally, type TourStep, tally } from "./step.ts";

/** Steps 1 to 5: what Bookinfo's own route rules do. */

const VISITORS = 4;

async function versionsSeen(gateway: GatewayClient, count: number, user?: string): Promise<Record<string, number>> {
  return tally(await repeat(count, VISITORS, () => gateway.reviewsVersion(user)));
}

function expectOnly(seen: Readonly<Record<string, number>>, version: string, who: string): void {
  const [first, ...others] = Object.keys(seen);
  expect(first === version && others.length === 0, `${who} should see only ${version}, saw ${showTally(seen)}`);
}

const everyVersion: TourStep = {
  title: "the product page, with all three versions of reviews",
  async run({ gateway }) {
    const pages = await repeat(60, VISITORS, () => gateway.productPage());
    const bad = pages.find(({ status }) => status !== 200);
    expect(bad === undefined, `a page answered ${bad?.status}`);
    expect(
      pages.every(({ body }) => body.includes("William Shakespeare")),
      "a page has no details",
    );
    expect(
      pages.every(({ body }) => body.includes("Reviewer1")),
      "a page has no reviews",
    );
    const seen = tally(pages.map(({ body }) => versionByStars(body)));
    expect(
      ["v1", "v2", "v3"].every((version) => (seen[version] ?? 0) > 0),
      `saw only ${showTally(seen)}`,
    );
    return `60 pages: ${showTally(seen)}`;
  },
};

const allV1: TourStep = {
  title: "route-rule-all-v1: only v1",
  async run({ mesh, gateway }) {
    await mesh.applyFiles("route-rule-all-v1");
    const seen = await versionsSeen(gateway, 40);
    expectOnly(seen, "v1", "everyone");
    return `40 requests: ${showTally(seen)}`;
  },
};

const testV2: TourStep = {
  title: "route-rule-reviews-test-v2: jason sees v2, others v1",
  async run({ mesh, gateway }) {
    await mesh.applyFiles("route-rule-all-v1", "route-rule-reviews-test-v2");
    const jason = await versionsSeen(gateway, 20, "jason");
    const others = await versionsSeen(gateway, 20, "anna");
    expectOnly(jason, "v2", "jason");
    expectOnly(others, "v1", "anna");
    return `jason ${showTally(jason)}; anna ${showTally(others)}`;
  },
};

const split: TourStep = {
  title: "route-rule-reviews-50-v3: half v1, half v3",
  async run({ mesh, gateway }) {
    await mesh.applyFiles("route-rule-all-v1", "route-rule-reviews-50-v3");
    const seen = await versionsSeen(gateway, 1000);
    const share = (seen["v3"] ?? 0) / 10;
    expect((seen["v1"] ?? 0) + (seen["v3"] ?? 0) === 1000, `other answers came too: ${showTally(seen)}`);
    expect(Math.abs(share - 50) <= 1, `v3 had ${share} %`);
    return `1000 requests: ${showTally(seen)}`;
  },
};

const faults: TourStep = {
  title: "ratings-test-delay, then ratings-test-abort: only jason notices",
  async run({ mesh, gateway }) {
    await mesh.applyFiles("route-rule-all-v1", "route-rule-reviews-test-v2", "route-rule-ratings-test-delay");
    const [slow, quick] = await Promise.all([gateway.productPage("jason"), gateway.productPage("anna")]);
    expect(/product reviews are currently unavailable/i.test(slow.body), "jason's page should lack its reviews");
    expect(slow.elapsedMs > 5_500 && slow.elapsedMs < 9_000, `jason's page took ${Math.round(slow.elapsedMs)} ms`);
    expect(
      quick.body.includes("Reviewer1") && quick.elapsedMs < 3_000,
      `anna's page took ${Math.round(quick.elapsedMs)} ms`,
    );

    await mesh.remove("RouteRule", "default", "ratings-test-delay");
    await mesh.applyFiles("route-rule-ratings-test-abort");
    const [broken, whole] = await Promise.all([gateway.productPage("jason"), gateway.productPage("anna")]);
    expect(/ratings service is currently unavailable/i.test(broken.body), "jason's page should lack its ratings");
    expect(broken.elapsedMs < 3_000, `jason's page took ${Math.round(broken.elapsedMs)} ms`);
    expect(versionByStars(whole.body) === "v1", "anna's page should not change");
    const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
    return (
      `delay: jason ${seconds(slow.elapsedMs)} without reviews, anna ${seconds(quick.elapsedMs)}; ` +
      `abort: jason ${seconds(broken.elapsedMs)} without ratings`
    );
  },
};

export const ROUTING_STEPS: readonly TourStep[] = [everyVersion, allV1, testV2, split, faults];
