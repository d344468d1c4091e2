import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AppPorts } from "../../shared/base/index.ts";
import { eventually } from "../harness/index.ts";
import { KeepAliveLoad, mixedRequest } from "../harness/keep-alive-load.ts";
import { exchange } from "../harness/raw-client.ts";
import { SmallMesh } from "../harness/small-mesh.ts";
import { Workload } from "../harness/workload.ts";

/** Rules through Pilot and the bus to a proxy that is busy: the listening socket and its connections outlive them. */

const CONNECTIONS = 512;
const CHANGES_PER_SECOND = 20;
const CHANGES = 120;

let mesh: SmallMesh;
let caller: AppPorts;
let reviews: Workload;

before(async () => {
  mesh = await SmallMesh.start(["caller", "reviews"]);
  reviews = new Workload(mesh, "reviews", "reviews-1");
  await reviews.start();
  caller = await mesh.sidecar("caller");
});

after(async () => {
  await reviews?.stop();
  await mesh?.stop();
});

interface ApplyAnswer {
  /** Absent where the whole request failed. */
  readonly results?: readonly { readonly outcome: string }[];
}

/** Tells the application with each request by which of the changes it was routed; every other one has a time limit. */
function rule(change: number): object {
  return {
    apiVersion: "config.istio.io/v1alpha2",
    kind: "RouteRule",
    metadata: { name: "revision", namespace: "default" },
    spec: {
      destination: { name: "reviews" },
      route: [{ labels: { version: "v1" } }],
      appendHeaders: { "x-revision": String(change) },
      ...(change % 2 === 0 && { httpReqTimeout: { simpleTimeout: { timeout: "30s" } } }),
    },
  };
}

test("512 connections stay open and every request is answered while the routes change 20 times a second", async () => {
  const { outbound = 0 } = caller;
  const ready = "GET /ready HTTP/1.1\r\nHost: reviews:9080\r\nConnection: close\r\n\r\n";
  await eventually(async () => (await exchange(outbound, ready)).startsWith("HTTP/1.1 200"), { withinMs: 60_000 });
  const tookEffect = new Set<string>();
  const load = new KeepAliveLoad({
    port: outbound,
    connections: CONNECTIONS,
    request: mixedRequest("reviews:9080"),
    onAnswer: ({ head }) => {
      const revision = /^x-seen-revision: (\d+)/im.exec(head)?.[1];
      if (revision !== undefined) tookEffect.add(revision);
    },
  });
  let outcomes: readonly string[] = [];
  try {
    await eventually(() => load.open === CONNECTIONS);
    await load.more(CONNECTIONS);
    outcomes = await changeSteadily();
    await mesh.apply(rule(CHANGES));
    await eventually(() => tookEffect.has(String(CHANGES)), { withinMs: 20_000 });
  } finally {
    const { failures, answered, open } = await load.stop();
    assert.deepEqual(failures.slice(0, 10), [], `${failures.length} of ${answered} failed`);
    assert.equal(open, CONNECTIONS, "the sockets at the end are those of the beginning");
  }
  const accepted = outcomes.filter((outcome) => /^(created|configured)$/.test(outcome)).length;
  assert.ok(accepted >= CHANGES / 2, `${accepted} accepted: ${[...new Set(outcomes)].join("; ")}`);
  // On a machine that has nothing else to do nearly all are.
  assert.ok(tookEffect.size >= CHANGES / 3, `${tookEffect.size} of ${CHANGES} changes were seen by requests`);
});

/** Applies one change after the other, in time whatever becomes of those before; their outcomes. */
async function changeSteadily(): Promise<string[]> {
  const bus = await mesh.operator();
  const subject = bus.subjects.config("apply");
  const apply = (change: number): Promise<string> =>
    bus.requestJson(subject, rule(change), { timeoutMs: 10_000 }).then(
      (answer) => (answer as ApplyAnswer).results?.[0]?.outcome ?? JSON.stringify(answer),
      (error: unknown) => String(error),
    );
  return await new Promise((resolve) => {
    const outcomes: Promise<string>[] = [];
    const timer = setInterval(() => {
      outcomes.push(apply(outcomes.length));
      if (outcomes.length < CHANGES) return;
      clearInterval(timer);
      resolve(Promise.all(outcomes));
    }, 1_000 / CHANGES_PER_SECOND);
  });
}
