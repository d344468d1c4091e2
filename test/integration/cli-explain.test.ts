import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Explanation } from "../../cli/explain/explanation.ts";
import { LiveMesh } from "../harness/live-mesh.ts";

const virtualService = (name: string, host: string, subset?: string): object => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name, namespace: "default" },
  spec: { hosts: [host], http: [{ name: "all", route: [{ destination: { host, ...(subset && { subset }) } }] }] },
});

describe("an explanation of a running mesh", () => {
  let live: LiveMesh;
  before(async () => {
    live = await LiveMesh.start();
    await live.mesh.apply(virtualService("reviews", "reviews"));
    await live.mesh.apply(virtualService("reviews", "reviews", "missing"));
    await live.mesh.apply(virtualService("caller", "caller", "missing"));
  });
  after(() => live.stop());

  const explain = async (...words: string[]): Promise<Explanation> => {
    const { out } = await live.lateen(["explain", "GET", ...words, "-o", "json"]);
    return JSON.parse(out) as Explanation;
  };

  test("tells as whom the caller calls, and who may answer", async () => {
    const { request, destinations } = await explain("http://reviews:9080/", "--from", "caller");
    assert.match(request.identity, /^spiffe:\/\/.*\/ns\/default\/sa\/caller$/);
    assert.deepEqual(
      destinations.map(({ transport, endpoints }) => [transport, endpoints?.map(({ instance }) => instance)]),
      [["mutual TLS", ["reviews-1"]]],
    );
  });

  test("names the rule that waits for this host, and no other; its revision before goes on", async () => {
    const { pending, rule, considered } = await explain("http://reviews:9080/", "--from", "caller");
    assert.equal(rule, "virtualservice/default/reviews");
    assert.deepEqual(
      pending.map((each) => each.rule),
      ["virtualservice/default/reviews"],
    );
    assert.match(pending[0]?.reason ?? "", /missing/);
    assert.equal(considered.at(-1)?.route, "all");
    const { out } = await live.lateen(["explain", "GET", "http://reviews:9080/"]);
    assert.match(out, /Waiting, and not in force:\n {2}virtualservice\/default\/reviews: .*; until then its earlier/);
  });

  test("says so when caller, host or gateway are nobody's", async () => {
    const { notes, rule } = await explain("http://review:9080/", "--from", "callr");
    assert.equal(rule, "passthrough");
    assert.ok(
      notes.some((note) =>
        /no service or workload callr of namespace default.*did you mean caller\.default/.test(note),
      ),
    );
    assert.ok(
      notes.some((note) => /no service review of namespace default is registered; did you mean reviews\?/.test(note)),
    );
    const edge = await live.lateen(["explain", "GET", "http://a.example/", "--gateway", "nowhere"]);
    assert.equal(edge.code, 1);
    assert.match(edge.out, /no gateway istio-system\/nowhere is known[\s\S]*gateways that are registered: none/);
  });
});
