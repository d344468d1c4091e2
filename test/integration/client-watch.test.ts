import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { type ConfigEvent, connectMesh, InvalidArgumentError, type MeshClient } from "lateen/client";
import { eventually, type NatsFixture, type Relay, startNats, startRelay } from "../harness/index.ts";
import { type PilotFixture, startPilot } from "../harness/pilot.ts";

/** A watch whose connection is cut, whose reader is slow, whose Pilot is away. */
let nats: NatsFixture;
let relay: Relay;
let pilot: PilotFixture;
let editor: MeshClient;
let watcher: MeshClient;

before(async () => {
  nats = await startNats();
  relay = await startRelay(nats.port);
  pilot = await startPilot(nats);
  const login = { user: "operator", password: nats.password("operator") };
  editor = await connectMesh({ ...login, servers: nats.url });
  watcher = await connectMesh({ ...login, servers: `nats://127.0.0.1:${relay.port}` });
});

after(async () => {
  await watcher.close();
  await editor.close();
  await pilot.remove();
  await relay.stop();
  await nats.stop();
});

beforeEach(async () => {
  for (const { metadata } of await editor.config.list({ kind: "routerule", namespace: "default" }))
    await editor.config.delete({ kind: "RouteRule", namespace: "default", name: metadata.name });
});

async function put(name: string, precedence: number): Promise<void> {
  const [result] = await editor.config.apply({
    apiVersion: "config.istio.io/v1alpha2",
    kind: "RouteRule",
    metadata: { name },
    spec: { destination: { name: "reviews" }, precedence },
  });
  assert.equal(result?.errors.length, 0);
}

const drop = (name: string) => editor.config.delete({ kind: "RouteRule", name });

function told(event: ConfigEvent): string {
  return event.type === "synced" ? "synced" : `${event.type} ${event.resource.metadata.name}`;
}

/** Everything a watch of route rules tells, as it comes. */
function follow(options: { capacity?: number; initial?: boolean } = {}): {
  events: string[];
  end: () => Promise<void>;
} {
  const events: string[] = [];
  const watch = watcher.watch({ kinds: ["routerules"], namespace: "default", ...options });
  const reading = (async () => {
    for await (const event of watch) events.push(told(event));
  })();
  return {
    events,
    end: async () => {
      await watch.return();
      await reading;
    },
  };
}

test("what happened while the connection was away is told afterwards, deletions too", async () => {
  await Promise.all([put("changed", 1), put("deleted", 1), put("kept", 1)]);
  const { events, end } = follow();
  await eventually(() => assert.equal(events.at(-1), "synced"));
  assert.deepEqual([...events].sort(), ["added changed", "added deleted", "added kept", "synced"]);
  events.length = 0;
  relay.cut();
  await eventually(() => assert.equal(watcher.connected, false));
  await put("changed", 2);
  await drop("deleted");
  await put("new", 1);
  await put("passing", 1);
  await drop("passing");
  relay.mend();
  await eventually(() => assert.equal(events.length, 3), { withinMs: 15_000 });
  assert.deepEqual([...events].sort(), ["added new", "deleted deleted", "modified changed"]);
  await put("later", 1);
  await eventually(() => assert.equal(events.at(-1), "added later"));
  await end();
});

test("a slow reader misses nothing that lasts", async () => {
  for (let i = 0; i < 6; i++) await put(`early-${i}`, 1);
  const watch = watcher.watch({ kinds: ["RouteRule"], namespace: "default", capacity: 2 });
  const seen: string[] = [];
  for await (const event of watch) {
    seen.push(told(event));
    if (event.type === "synced") break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(
    seen.slice(0, -1).sort(),
    Array.from({ length: 6 }, (_, i) => `added early-${i}`),
  );
});

test("without what is there already, only changes are told", async () => {
  await put("old", 1);
  const { events, end } = follow({ initial: false });
  await eventually(() => assert.deepEqual(events, ["synced"]));
  await put("old", 2);
  await drop("old");
  await eventually(() => assert.deepEqual(events, ["synced", "modified old", "deleted old"]));
  await end();
});

test("a watch ends by its signal and with its client, and refuses a kind that does not exist", async () => {
  const stop = new AbortController();
  const watch = watcher.watch({ kinds: ["RouteRule"], signal: stop.signal });
  assert.equal((await watch.next()).value.type, "synced");
  const last = watch.next();
  stop.abort();
  assert.equal((await last).done, true);
  assert.throws(() => watcher.watch({ kinds: ["spaceship"] }), InvalidArgumentError);
  const other = await connectMesh({ servers: nats.url, user: "operator", password: nats.password("operator") });
  const open = other.watch({ kinds: ["RouteRule"], initial: false });
  assert.equal((await open.next()).value.type, "synced");
  const pending = open.next();
  await other.close();
  assert.equal((await pending).done, true);
});

test("a watch goes on when Pilot was away while the connection came back", async () => {
  await put("there", 1);
  const { events, end } = follow();
  await eventually(() => assert.deepEqual(events, ["added there", "synced"]));
  await pilot.stop();
  relay.cut();
  await eventually(() => assert.equal(watcher.connected, false));
  relay.mend();
  await eventually(() => assert.equal(watcher.connected, true), { withinMs: 15_000 });
  await pilot.start();
  await put("after", 1);
  await eventually(() => assert.equal(events.at(-1), "added after"), { withinMs: 15_000 });
  await end();
});
