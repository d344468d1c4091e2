import { explainRequest } from "../../../../cli/explain/explain.ts";
import { completeCaller } from "../../../../cli/explain/live-caller.ts";
import { LiveSource } from "../../../../cli/explain/live-source.ts";
import { parseRequest } from "../../../../cli/explain/request.ts";
import { expect, repeat, showTally, type TourContext, type TourStep, tally } from "./step.ts";

/** Step 6: the rules of today's Istio API, and why a request goes where it goes. */

const RULES = ["destination-rule-all", "virtual-service-all-v1", "virtual-service-reviews-test-v2"];

async function explained({ mesh }: TourContext, ...header: readonly string[]): Promise<string> {
  const asked = parseRequest("GET", "http://reviews:9080/reviews/0", { header, from: "productpage.default" });
  const { request } = await completeCaller(asked, mesh.bus);
  const { rule, destinations } = await explainRequest(request, { source: new LiveSource(mesh.bus) });
  const versions = destinations.map(({ labels }) => labels["version"] ?? "any version");
  return `${versions.join(" or ")} by ${rule}`;
}

const networking: TourStep = {
  title: "the same as VirtualService and DestinationRule, explained",
  async run(context) {
    const { mesh, gateway } = context;
    await mesh.applyFiles(...RULES.map((rule) => `../networking/${rule}`));
    const jason = tally(await repeat(20, 4, () => gateway.reviewsVersion("jason")));
    expect(Object.keys(jason).join() === "v2", `jason should see only v2, saw ${showTally(jason)}`);
    const why = await explained(context, "cookie: user=jason");
    expect(why === "v2 by virtualservice/default/reviews", `jason's request is explained as ${why}`);
    const other = await explained(context);
    expect(other === "any version by virtualservice/default/reviews", `another's request is explained as ${other}`);
    return `jason ${showTally(jason)}; explained: ${why}`;
  },
};

export const NETWORKING_STEPS: readonly TourStep[] = [networking];
