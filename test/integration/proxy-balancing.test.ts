import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, test } from "node:test";
import type { RouteInput } from "../../shared/wire/index.ts";
import { type Application, answering } from "../harness/application.ts";
import { eventually, FakeClock } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";
import type { TestProxy } from "../harness/test-proxy.ts";
import { withRoutes } from "../harness/with-routes.ts";

/** Which of several real instances get the requests. How exactly each balancer spreads them, its own tests measure. */

const { proxy, application } = proxyFixture();

const several = (count: number): Promise<Application[]> =>
  Promise.all(Array.from({ length: count }, () => application()));
const portsOf = (apps: readonly Application[]): number[] => apps.map(({ port }) => port);

/** How many of the calls each instance got. */
async function spread(
  caller: TestProxy,
  apps: readonly Application[],
  calls: number,
  headers: Readonly<Record<string, string>> = {},
  path = "/",
): Promise<number[]> {
  const before = apps.map(({ received }) => received.length);
  for (let i = 0; i < calls; i++) assert.equal((await caller.call(path, { headers })).status, 200);
  return apps.map(({ received }, i) => received.length - (before[i] ?? 0));
}

describe("balancing", () => {
  test("in turns follows the weights exactly", async () => {
    const [light, heavy] = await several(2);
    const instances = [
      { port: light?.port ?? 0, weight: 1 },
      { port: heavy?.port ?? 0, weight: 3 },
    ];
    const caller = await proxy({ instances, policy: { loadBalancing: "ROUND_ROBIN" } });
    assert.deepEqual(await spread(caller, [light as Application, heavy as Application], 40), [10, 30]);
  });

  test("by least request leaves one that is busy", async () => {
    const held: ServerResponse[] = [];
    const apps = await several(2);
    const [slow, quick] = apps;
    assert.ok(slow !== undefined && quick !== undefined);
    slow.respond = (_, response) => void held.push(response);
    const caller = await proxy({ instances: portsOf(apps), policy: { loadBalancing: "LEAST_CONN" } });
    const waiting: Promise<unknown>[] = [];
    await eventually(async () => {
      waiting.push(caller.call());
      await eventually(() => caller.records.length + held.length === waiting.length);
      return held.length === 1;
    });
    assert.deepEqual(await spread(caller, apps, 20), [0, 20]);
    held[0]?.end("ok");
    await Promise.all(waiting);
  });

  test("by chance reaches everyone", async () => {
    const apps = await several(3);
    const caller = await proxy({ instances: portsOf(apps), policy: { loadBalancing: "RANDOM" } });
    const counts = await spread(caller, apps, 90);
    assert.ok(Math.min(...counts) > 8, counts.join(" "));
  });

  test("by peak EWMA leaves one that is slow, and one that is quick to fail", async () => {
    const others = [
      (_: unknown, response: ServerResponse) => void setTimeout(() => response.end("ok"), 60),
      answering(503),
    ];
    for (const worse of others) {
      const [quick, other] = [await application(), await application(worse)];
      const caller = await proxy({ instances: [quick.port, other.port], policy: { loadBalancing: "PEAK_EWMA" } });
      for (let i = 0; i < 40; i++) await caller.call();
      assert.ok(other.received.length <= 3, `${other.received.length} of 40`);
    }
  });

  test("passes through to the host that the request names, whatever a rule makes of it, and chooses no instance", async () => {
    const named = await application(({ headers }) => ({ body: `named as ${headers.host}` }));
    const rewrite = { authority: "rewritten" };
    for (const [loadBalancing, body, port] of [
      ["PASSTHROUGH", "named as rewritten", named.port],
      ["ROUND_ROBIN", "instance", 0],
    ] as const) {
      const routes: RouteInput[] = [{ rewrite, destinations: [{ weight: 1, port }], timeout: { timeoutMs: 5_000 } }];
      const call = async (caller: TestProxy): Promise<void> =>
        assert.equal((await caller.call("/", { headers: { host: "localhost:9080" } })).body, body);
      await withRoutes(routes, { reviews: () => ({ body: "instance" }) }, call, { policy: { loadBalancing } });
    }
  });
});

describe("balancing by hash", () => {
  type HashPolicy = NonNullable<RouteInput["hashPolicies"]>[number];
  const keys: readonly (readonly [
    string,
    HashPolicy,
    (user: string) => { headers?: Record<string, string>; path?: string },
  ])[] = [
    ["a header", { header: "x-user" }, (user) => ({ headers: { "x-user": user } })],
    ["a cookie", { cookie: { name: "user" } }, (user) => ({ headers: { cookie: `a=b; user=${user}` } })],
    ["a query parameter", { queryParameter: "user" }, (user) => ({ path: `/?x=1&user=${user}` })],
  ];
  for (const loadBalancing of ["RING_HASH", "MAGLEV"]) {
    for (const [what, policy, request] of keys) {
      test(`of ${what} keeps requests with one key at one instance (${loadBalancing})`, async () => {
        const apps = await several(4);
        const route = { hashPolicies: [policy] };
        const caller = await proxy({ instances: portsOf(apps), policy: { loadBalancing }, route });
        const used = new Set<number>();
        for (let user = 0; user < 12; user++) {
          const { headers = {}, path = "/" } = request(`user-${user}`);
          const counts = await spread(caller, apps, 3, headers, path);
          assert.deepEqual([...counts].sort(), [0, 0, 0, 3], `user-${user}`);
          used.add(counts.indexOf(3));
        }
        assert.ok(used.size > 1, "different keys are at different instances");
      });
    }
  }

  test("of the source address keeps all requests of one caller together", async () => {
    const apps = await several(4);
    const route = { hashPolicies: [{ sourceIp: true }] };
    const used = new Set<number>();
    for (let caller = 0; caller < 12; caller++) {
      const self = { ip: `10.0.1.${caller}` };
      const from = await proxy({ instances: portsOf(apps), policy: { loadBalancing: "MAGLEV" }, route, self });
      const counts = await spread(from, apps, 3);
      assert.deepEqual([...counts].sort(), [0, 0, 0, 3], self.ip);
      used.add(counts.indexOf(3));
    }
    assert.ok(used.size > 1, "different callers are at different instances");
  });

  test("moves only the requests of an instance that goes", async () => {
    const apps = await several(5);
    const route = { hashPolicies: [{ header: "x-user" }] };
    const caller = await proxy({ instances: portsOf(apps), policy: { loadBalancing: "RING_HASH" }, route });
    const placeOf = async (user: number): Promise<number> =>
      (await spread(caller, apps, 1, { "x-user": `user-${user}` })).indexOf(1);
    const users = Array.from({ length: 24 }, (_, i) => i);
    const before: number[] = [];
    for (const user of users) before.push(await placeOf(user));
    const gone = before[0] ?? 0;
    caller.use(portsOf(apps.filter((_, i) => i !== gone)));
    for (const user of users) {
      const place = await placeOf(user);
      if (before[user] === gone) assert.notEqual(place, gone);
      else assert.equal(place, before[user], `user-${user}`);
    }
  });

  test("of a cookie gives one to a client without it, which then keeps it where it is", async () => {
    const apps = await several(4);
    const route = { hashPolicies: [{ cookie: { name: "lb", path: "/", ttlMs: 60_000 } }] };
    const caller = await proxy({ instances: portsOf(apps), policy: { loadBalancing: "MAGLEV" }, route });
    const first = await caller.call();
    const [made = ""] = first.headers["set-cookie"] ?? [];
    assert.match(made, /^lb="[0-9a-f]{16}"; Max-Age=60; Path=\/; HttpOnly$/);
    const place = apps.findIndex(({ received }) => received.length === 1);
    const counts = await spread(caller, apps, 5, { cookie: made.split(";")[0] ?? "" });
    assert.equal(counts[place], 5);
    const other = await caller.call("/", { headers: { cookie: made.split(";")[0] ?? "" } });
    assert.equal(other.headers["set-cookie"], undefined);
  });
});

describe("the health of the instances", () => {
  test("below the panic threshold counts no more: better all than too few", async () => {
    const apps = await several(4);
    const instances = apps.map(({ port }, i) => ({ port, healthy: i === 0 }));
    for (const [panicPercent, counts] of [
      [undefined, [2, 2, 2, 2]],
      [25, [8, 0, 0, 0]],
      [0, [8, 0, 0, 0]],
    ] as const) {
      const caller = await proxy({ instances, policy: panicPercent === undefined ? {} : { panicPercent } });
      assert.deepEqual(await spread(caller, apps, 8), counts, `panic below ${panicPercent} %`);
    }
    const [well] = instances;
    const none = await proxy({
      instances: [{ ...(well ?? { port: 0 }), healthy: false }],
      policy: { panicPercent: 0 },
    });
    assert.equal((await none.call()).status, 503);
    assert.equal(none.last?.flags, "UH");
  });

  test("is believed slowly of a newcomer: its share grows in the course of the window", async () => {
    const clock = new FakeClock();
    const apps = await several(2);
    const [old, young] = portsOf(apps);
    const policy = { slowStart: { windowMs: 10_000, minWeightPercent: 10 } };
    const caller = await proxy({ instances: [old ?? 0], policy, clock });
    clock.advance(20_000);
    caller.use([old ?? 0, young ?? 0]);
    const [, atFirst = 0] = await spread(caller, apps, 44);
    assert.ok(atFirst >= 3 && atFirst <= 5, `a tenth against one: ${atFirst} of 44`);
    clock.advance(5_000);
    caller.cluster.sweep(clock.now());
    const [, halfway = 0] = await spread(caller, apps, 45);
    assert.ok(halfway >= 14 && halfway <= 16, `a half against one: ${halfway} of 45`);
    clock.advance(5_000);
    caller.cluster.sweep(clock.now());
    assert.deepEqual(await spread(caller, apps, 40), [20, 20]);
  });
});

/** The caller is in eu/west/1. */
describe("localities", () => {
  const places = ["eu/west/1", "eu/west/1", "eu/west/2", "us/east/1"];
  const placed = (apps: readonly Application[], ill: readonly number[] = []) =>
    apps.map(({ port }, i) => ({ port, locality: places[i] ?? "", healthy: !ill.includes(i) }));

  test("fail over from the nearest to the next as far as it lacks instances", async () => {
    const apps = await several(4);
    const policy = { locality: { failover: true } };
    const caller = await proxy({ instances: placed(apps), policy });
    assert.deepEqual(await spread(caller, apps, 20), [10, 10, 0, 0]);
    // One of two can take 70 % of what both would: the rest goes to the next zone.
    caller.use(placed(apps, [0]));
    assert.deepEqual(await spread(caller, apps, 20), [0, 14, 6, 0]);
    caller.use(placed(apps, [0, 1]));
    assert.deepEqual(await spread(caller, apps, 20), [0, 0, 20, 0]);
    caller.use(placed(apps, [0, 1, 2]));
    assert.deepEqual(await spread(caller, apps, 20), [0, 0, 0, 20]);
  });

  test("share by the weights that a policy gives them for callers from here", async () => {
    const apps = await several(4);
    const to = [
      { locality: "eu/west/*", weight: 75 },
      { locality: "us/*", weight: 25 },
    ];
    const distribute = [
      { from: "us/*", to: [{ locality: "*", weight: 100 }] },
      { from: "eu/west/*", to },
    ];
    const caller = await proxy({ instances: placed(apps), policy: { locality: { distribute } } });
    const counts = await spread(caller, apps, 40);
    assert.equal(counts[3], 10);
    assert.deepEqual(counts.slice(0, 3).toSorted(), [10, 10, 10]);
  });
});
