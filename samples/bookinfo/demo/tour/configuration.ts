import { PILOTS } from "../topology.ts";
import type { MeshClient } from "./mesh-client.ts";
import { expect, repeat, type TourStep } from "./step.ts";

/** Steps 7 and 8: the ways in which a rule reaches Pilot, and what becomes of a bad one. */

/** All reviews go to one version, whoever asks. */
function reviewsRule(version: string): string {
  return JSON.stringify({
    apiVersion: "config.istio.io/v1alpha2",
    kind: "RouteRule",
    metadata: { name: "tour-reviews", namespace: "default" },
    spec: { destination: { name: "reviews" }, precedence: 5, route: [{ labels: { version } }] },
  });
}

const SUBJECT = ["RouteRule", "default", "tour-reviews"] as const;

/** Sends, and waits for the broadcast of what was accepted, and for it to be in force. */
async function publishAndWait(mesh: MeshClient, send: () => Promise<void>): Promise<number> {
  const changed = mesh.nextChange(...SUBJECT);
  await send();
  const revision = await changed;
  await mesh.waitFor(...SUBJECT, revision);
  return revision;
}

const waysIn: TourStep = {
  title: "a bare publish, config.submit without a Pilot, a bad rule",
  async run({ mesh, gateway, processes }) {
    const expectAll = async (version: string) => {
      const seen = await repeat(20, 4, () => gateway.reviewsVersion());
      expect(
        seen.every((each) => each === version),
        `should all be ${version}: ${seen.join(" ")}`,
      );
    };
    mesh.willRemove(...SUBJECT);
    const published = await publishAndWait(mesh, async () => mesh.publish("apply", reviewsRule("v2")));
    await expectAll("v2");

    await processes.stop(PILOTS);
    const stored = await mesh.submit(reviewsRule("v3"));
    await expectAll("v2");
    const submitted = await publishAndWait(mesh, () => processes.restart(PILOTS));
    await expectAll("v3");

    const rejected = mesh.nextRejection(...SUBJECT);
    mesh.publish("apply", reviewsRule("v1").replace('"precedence":5', '"precedence":"high"'));
    const { errors } = await rejected;
    const [error] = errors;
    expect(error?.path === "spec.precedence" && error.reason !== "", `rejected with ${JSON.stringify(errors)}`);
    await expectAll("v3");
    return (
      `published: revision ${published}; submitted while no Pilot ran (stored as message ${stored}): revision ${submitted}; ` +
      `rejected: ${error.path}: ${error.reason}`
    );
  },
};

const COOKIE_PATH = "spec.match.request.headers.cookie.regex";

const badPattern: TourStep = {
  title: "a regular expression with a dot missing is refused, the rule before it stays",
  async run({ mesh, gateway }) {
    await mesh.applyFiles("route-rule-all-v1", "route-rule-reviews-test-v2");
    const bad = (await mesh.ruleText("route-rule-reviews-test-v2")).replace("^(.*?;)?", "^(*?;)?");
    const [result] = await mesh.apply(bad);
    const error = result?.errors.find(({ path }) => path === COOKIE_PATH);
    expect(result?.outcome === "rejected", `outcome ${result?.outcome}`);
    expect(error !== undefined, `no error names ${COOKIE_PATH}: ${JSON.stringify(result.errors)}`);
    expect(error.position === 2, `position ${error.position} instead of 2`);
    expect(error.reason !== "", "no reason");
    const jason = await repeat(10, 4, () => gateway.reviewsVersion("jason"));
    expect(
      jason.every((version) => version === "v2"),
      `jason saw ${jason.join(" ")}`,
    );
    return `${error.path}, position ${error.position}: ${error.reason}; jason still sees v2`;
  },
};

export const CONFIGURATION_STEPS: readonly TourStep[] = [waysIn, badPattern];
