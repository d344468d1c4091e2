import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckResult } from "../../cli/doctor/checks.ts";
import { runLateen } from "../harness/cli.ts";
import { eventually, startNats } from "../harness/index.ts";
import { LiveMesh } from "../harness/live-mesh.ts";

interface Answer {
  readonly success: boolean;
  readonly results: readonly (CheckResult & { readonly remedy?: string })[];
}

test("a mesh that is well passes every check, and what breaks is found with where help is", async () => {
  const live = await LiveMesh.start({}, { mixer: true });
  try {
    const check = async (...flags: string[]) => {
      const { code, out } = await live.lateen(["check", "-o", "json", ...flags]);
      return { code, ...(JSON.parse(out) as Answer) };
    };
    const problems = ({ results }: Answer) => results.filter(({ level }) => level !== "ok");
    const well = await check("--wait", "--timeout", "20s");
    assert.equal(well.code, 0);
    assert.deepEqual(problems(well), []);
    const looked = new Set(well.results.map((result) => result.check));
    for (const each of [
      "permissions",
      "buckets",
      "redis",
      "root",
      "nats-clock",
      "certificates",
      "proxies-synced",
    ] as const)
      assert.ok(looked.has(each), each);

    await live.mesh.apply({
      apiVersion: "config.istio.io/v1alpha2",
      kind: "RouteRule",
      metadata: { name: "v9", namespace: "default" },
      spec: { destination: { name: "reviews" }, precedence: 1, route: [{ labels: { version: "v9" } }] },
    });
    await eventually(async () => {
      const [waiting] = problems(await check());
      assert.deepEqual([waiting?.check, waiting?.level], ["pending-rules", "warn"]);
      assert.match(waiting?.text ?? "", /RouteRule default\/v9/);
    });

    await live.mesh.redis?.stop();
    await eventually(async () => {
      const ill = await check();
      assert.equal(ill.code, 1);
      const redis = problems(ill).find((result) => result.check === "redis");
      assert.deepEqual([redis?.level, redis?.remedy], ["fail", "docs/operations.md#redis"]);
    });
    const short = await live.lateen(["check", "-o", "short"]);
    assert.match(short.out, /^ {2}× Redis answers Mixer: mixer: Redis at 127\.0\.0\.1:\d+ does not answer/m);
    assert.doesNotMatch(short.out, /√/);
    assert.match(short.out, /^Status: 1 of \d+ checks failed$/m);
  } finally {
    await live.stop();
  }
});

test("a bus without a mesh, one that is not there, and a user without rights", async () => {
  const workload = { namespace: "default", serviceAccount: "reviews", service: "reviews" };
  const nats = await startNats({ workloads: [workload] });
  try {
    const as = (user: string, ...flags: string[]) =>
      runLateen(["check", "-o", "json", ...flags], {
        env: { NATS_URL: nats.url, NATS_USER: user, NATS_PASSWORD: nats.password(user) },
      });
    const failing = (out: string) =>
      (JSON.parse(out) as Answer).results.filter(({ level }) => level === "fail").map((result) => result.check);
    const pre = await as("operator", "--pre", "--redis-url", "redis://127.0.0.1:1");
    assert.deepEqual([pre.code, failing(pre.out)], [1, ["redis-reachable"]]);
    assert.equal((await as("operator", "--pre")).code, 0);
    const empty = await as("operator");
    assert.equal(empty.code, 1);
    assert.deepEqual(new Set(failing(empty.out)), new Set(["components-answer"]));
    const stranger = await as("w.default.reviews.reviews");
    assert.deepEqual(failing(stranger.out), ["permissions"]);
    await nats.kill();
    const away = await as("operator");
    assert.deepEqual([away.code, failing(away.out)], [1, ["nats-reachable"]]);
  } finally {
    await nats.stop();
  }
});
