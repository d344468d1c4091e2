import { CA, MIXERS, PILOTS, SECOND_REVIEWS, sidecarName } from "../topology.ts";
import { expect, repeat, type TourContext, type TourStep, tally, until } from "./step.ts";

/** Steps 13 and 14: instances come and go, and so does the whole control plane. */

const REQUESTS_PER_SECOND = 50;

/**
 * A steady load, sent on a schedule and not when an answer comes. Half of it visits the gateway; half goes to reviews
 * straight from productpage's sidecar, where no application hides a failure by asking again.
 */
class SteadyLoad {
  readonly #statuses: string[] = [];
  readonly #pending = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor({ gateway, topology }: TourContext) {
    const outbound = topology.sidecarPorts.get("productpage-v1")?.outbound ?? 0;
    let count = 0;
    this.#timer = setInterval(() => {
      const call =
        count++ % 2 === 0
          ? gateway.get("/api/v1/products/0/reviews")
          : gateway.through(outbound, "http://reviews:9080/reviews/0");
      const done = call
        .then(
          ({ status }) => this.#statuses.push(String(status)),
          (error: unknown) => this.#statuses.push(error instanceof Error ? error.message : String(error)),
        )
        .then(() => {
          this.#pending.delete(done);
        });
      this.#pending.add(done);
    }, 1000 / REQUESTS_PER_SECOND);
  }

  /** Resolves when this many more requests have been answered. */
  async more(count: number): Promise<void> {
    const goal = this.#statuses.length + count;
    await until(`${count} more answers`, async () => this.#statuses.length >= goal || undefined);
  }

  async stop(): Promise<Record<string, number>> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    return tally(this.#statuses);
  }
}

const joinAndLeave: TourStep = {
  title: "a second instance of reviews v1 joins and leaves under load",
  async run(context) {
    const { processes, topology, mesh } = context;
    const load = new SteadyLoad(context);
    let counts: Record<string, number> = {};
    let served = 0;
    try {
      await load.more(50);
      await processes.startAll(topology.second);
      const sidecar = sidecarName(SECOND_REVIEWS);
      const metricsPort = topology.sidecarPorts.get(SECOND_REVIEWS.name)?.metrics ?? 0;
      await until("the second instance gets traffic", async () => {
        served = await mesh.inboundRequests(metricsPort);
        return served >= 20 || undefined;
      });
      const stopping = processes.stop([sidecar]);
      await load.more(50);
      await stopping;
      await processes.stop([SECOND_REVIEWS.name]);
      await load.more(50);
    } finally {
      counts = await load.stop();
    }
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(counts["200"] === total, `answers: ${JSON.stringify(counts)}`);
    return `${total} requests at ${REQUESTS_PER_SECOND}/s, none failed; the second instance had served ${served} when told to leave`;
  },
};

const controlPlaneAway: TourStep = {
  title: "Pilots, Mixers and CA stopped; a sidecar restarted meanwhile; all come back",
  async run({ processes, gateway, mesh }) {
    const controlPlane = [...PILOTS, ...MIXERS, CA];
    const expectPages = async (when: string) => {
      const pages = await repeat(20, 4, () => gateway.productPage());
      const whole = pages.filter(
        ({ status, body }) => status === 200 && body.includes("William Shakespeare") && body.includes("Reviewer1"),
      );
      expect(whole.length === pages.length, `${when}: only ${whole.length} of ${pages.length} pages are whole`);
      return `${whole.length}/${pages.length}`;
    };
    await processes.stop(controlPlane);
    try {
      const without = await expectPages("without a control plane");
      await processes.stop(["details-v1-proxy"]);
      await processes.restart(["details-v1-proxy"]);
      const restarted = await expectPages("with a sidecar restarted meanwhile");
      await processes.restart(controlPlane);
      await mesh.applyFiles("route-rule-all-v1");
      const seen = tally(await repeat(20, 4, () => gateway.reviewsVersion()));
      expect(seen["v1"] === 20, `after the return: ${JSON.stringify(seen)}`);
      return `pages whole: ${without} without, ${restarted} with details' sidecar restarted; back: a rule change took effect`;
    } finally {
      await processes.restart(controlPlane.filter((name) => !processes.get(name).running));
    }
  },
};

export const LIFECYCLE_STEPS: readonly TourStep[] = [joinAndLeave, controlPlaneAway];
