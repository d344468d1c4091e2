import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../harness/index.ts";
import { KeepAliveLoad, mixedRequest } from "../harness/keep-alive-load.ts";
import { exchange } from "../harness/raw-client.ts";
import { SmallMesh } from "../harness/small-mesh.ts";
import { Workload } from "../harness/workload.ts";

/** A mesh with Pilot and CA; the instances and their sidecars are processes that end as an operator ends them. */

const CONNECTIONS = 32;
const ROUNDS = 2;
/** Requests that an instance must have answered since it came before the next change. */
const SERVED = 50;
/** Served on after the drained instance is gone from the endpoints; in production it is 5 s. */
const DRAIN = { DRAIN_MIN_MS: "500", DRAIN_MAX_MS: "10000" };

let mesh: SmallMesh;
const workloads: Workload[] = [];

before(async () => {
  mesh = await SmallMesh.start(["caller", "reviews"]);
});

after(async () => {
  await Promise.all(workloads.map((workload) => workload.stop()));
  await mesh?.stop();
});

function instance(name: string): Workload {
  const workload = new Workload(mesh, "reviews", name, DRAIN);
  workloads.push(workload);
  return workload;
}

interface Load {
  readonly load: KeepAliveLoad;
  /** Resolves when the instance has answered some more requests. */
  serves(workload: Workload): Promise<void>;
  /** Throws unless every request was answered on the connection that it began with. */
  end(): Promise<void>;
}

/** From a caller of its own. */
async function startLoad(caller: string): Promise<Load> {
  const { outbound = 0 } = await mesh.sidecar("caller", { MESH_INSTANCE: caller });
  const ready = "GET /ready HTTP/1.1\r\nHost: reviews:9080\r\nConnection: close\r\n\r\n";
  await eventually(async () => (await exchange(outbound, ready)).startsWith("HTTP/1.1 200"), { withinMs: 60_000 });
  const served = new Map<string, number>();
  const load = new KeepAliveLoad({
    port: outbound,
    connections: CONNECTIONS,
    request: mixedRequest("reviews:9080", 2_000),
    onAnswer: ({ head }) => {
      const [, name = ""] = /^x-instance: (\S+)/im.exec(head) ?? [];
      served.set(name, (served.get(name) ?? 0) + 1);
    },
  });
  return {
    load,
    async serves({ instance: name }) {
      const goal = (served.get(name) ?? 0) + SERVED;
      await eventually(() => (served.get(name) ?? 0) >= goal, { withinMs: 60_000 });
    },
    async end() {
      const { failures, answered, open } = await load.stop();
      assert.deepEqual(failures.slice(0, 10), [], `${failures.length} of ${answered} failed`);
      assert.equal(open, CONNECTIONS, "the caller's own connections stay");
    },
  };
}

test("instances restart, join and leave under load, and every request is answered with 200", async () => {
  const [first, second, third] = [instance("reviews-1"), instance("reviews-2"), instance("reviews-3")];
  await Promise.all([first.start(), second.start()]);
  const { load, serves, end } = await startLoad("caller-1");
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const workload of [first, second]) {
        await Promise.all([serves(first), serves(second)]);
        await workload.restart();
        await serves(workload);
      }
      await third.start();
      await serves(third);
      await third.stop();
      await load.more(200);
    }
  } finally {
    await end();
  }
});

test("an instance that is drained and ended by its admin API leaves without losing a request", async () => {
  const leaving = await instance("reviews-4").start();
  const { load, serves, end } = await startLoad("caller-2");
  try {
    await serves(leaving);
    assert.equal((await leaving.admin("/drain_listeners?graceful", "POST")).status, 200);
    assert.equal((await leaving.admin("/ready")).status, 503);
    await eventually(async () => (await (await leaving.admin("/listeners")).text()) === "", { withinMs: 60_000 });
    await load.more(200);
    assert.equal((await leaving.admin("/quitquitquit", "POST")).status, 200);
    await eventually(() => leaving.quit, { withinMs: 60_000 });
    await load.more(200);
  } finally {
    await end();
  }
});
