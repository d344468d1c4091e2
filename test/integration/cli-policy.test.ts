import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/index.ts";
import { LiveMesh } from "../harness/live-mesh.ts";

const resource = (kind: string, name: string, spec: object): object => ({
  apiVersion: "config.istio.io/v1alpha2",
  kind,
  metadata: { name, namespace: "default" },
  spec,
});

describe("who may call whom, asked from the command line", () => {
  let live: LiveMesh;
  before(async () => {
    live = await LiveMesh.start({}, { mixer: true });
    await live.mesh.apply(resource("denier", "deny", { status: { code: 7, message: "Not allowed" } }));
    await live.mesh.apply(resource("checknothing", "nothing", {}));
    await live.mesh.apply(
      resource("rule", "deny-admin", {
        match: 'source.user == "cluster.local/ns/default/sa/caller" && request.path.startsWith("/admin")',
        actions: [{ handler: "deny.denier", instances: ["nothing.checknothing"] }],
      }),
    );
    await live.mesh.apply(
      resource("memquota", "limit", { quotas: [{ name: "calls.quota.default", maxAmount: 2, validDuration: "60s" }] }),
    );
    await live.mesh.apply(resource("quota", "calls", { dimensions: {} }));
    await live.mesh.apply(
      resource("rule", "limit", { actions: [{ handler: "limit.memquota", instances: ["calls.quota"] }] }),
    );
    await eventually(async () => {
      assert.match((await live.lateen(["authz", "check", "caller", "reviews", "GET", "/admin"])).out, /DENIED/);
      assert.match((await live.lateen(["authz", "check", "caller", "reviews"])).out, /limit/);
    });
  });
  after(() => live.stop());

  test("a refusal names the status, the rule and the handler, and agrees with the proxy", async () => {
    const denied = await live.lateen(["authz", "check", "caller", "reviews", "get", "/admin/x"]);
    assert.equal(denied.code, 1);
    assert.match(
      denied.out,
      /^caller-v1\.default -> reviews-v1\.default: DENIED with 403 \(PERMISSION_DENIED: deny\.denier\.default:Not allowed\)$/m,
    );
    assert.match(
      denied.out,
      /^ {2}rule default\/deny-admin \(revision \d+\): applies\n {4}deny\.denier\.default says PERMISSION_DENIED/m,
    );
    assert.equal(await live.call("/admin/x"), 403);

    const allowed = await live.lateen([
      "authz",
      "check",
      "caller-1.default",
      "reviews.default",
      "GET",
      "/",
      "-o",
      "json",
    ]);
    assert.equal(allowed.code, 0);
    const { items } = JSON.parse(allowed.out) as {
      items: { allowed: boolean; rules: { name: string; applies: boolean }[] }[];
    };
    assert.deepEqual([items.length, items[0]?.allowed], [1, true]);
    assert.equal(items[0]?.rules.find(({ name }) => name === "deny-admin")?.applies, false);
    assert.equal(await live.call("/ok"), 200);
  });

  test("a caller from outside has no identity, and what is not registered gives no answer", async () => {
    assert.equal((await live.lateen(["authz", "check", "outside", "reviews", "GET", "/admin"])).code, 0);
    const { code, err } = await live.lateen(["authz", "check", "caller", "details"]);
    assert.equal(code, 4);
    assert.match(err, /no registered service, workload or instance details; there are /);
  });

  test("mixer check takes attributes as mixc does, and charges what it is told to", async () => {
    const flags = ["-s", "destination.namespace=default,source.user=cluster.local/ns/default/sa/caller"];
    const denied = await live.lateen(["mixer", "check", ...flags, "-a", "request.path=/admin"]);
    assert.equal(denied.code, 1);
    assert.match(denied.out, /^Check status was PERMISSION_DENIED: deny\.denier\.default:Not allowed$/m);
    assert.match(denied.out, /depends on .*request\.path/);
    const charged = await live.lateen([
      "mixc",
      "check",
      "-a",
      "destination.namespace=default",
      "-q",
      "RequestCount=1",
      "-r",
      "3",
      "-o",
      "short",
    ]);
    assert.deepEqual(charged.out.match(/quota RequestCount: \d of 1/g), [
      "quota RequestCount: 1 of 1",
      "quota RequestCount: 1 of 1",
      "quota RequestCount: 0 of 1",
    ]);
    assert.equal(charged.code, 1);
    const wrong = await live.lateen(["mixer", "check", "-i", "request.path=1"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /request\.path is of type STRING/);
  });

  test("mixer report shows which rules took it", async () => {
    const { code, out } = await live.lateen([
      "mixer",
      "report",
      "-a",
      "destination.service=reviews.default.svc.cluster.local,response.code=200,response.duration=12ms,context.protocol=http",
      "--stringmap_attributes",
      "request.headers=user:jason;:path:/x",
      "--bytes_attributes",
      "source.ip=a:0:0:1",
    ]);
    assert.equal(code, 0);
    assert.match(
      out,
      /rule istio-system\/promhttp \(revision \d+\): applies\n {4}handler\.prometheus\.istio-system takes requestcount\.metric\.istio-system/,
    );
  });
});
