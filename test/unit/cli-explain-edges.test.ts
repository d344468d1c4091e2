import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainChecks } from "../../cli/explain/checks.ts";
import { explainRequest } from "../../cli/explain/explain.ts";
import type { DestinationExplained, Explanation } from "../../cli/explain/explanation.ts";
import { FileSource } from "../../cli/explain/file-source.ts";
import { policyLines } from "../../cli/explain/policy-text.ts";
import { renderExplanation } from "../../cli/explain/render-explanation.ts";
import { parseRequest, type RequestFlags } from "../../cli/explain/request.ts";
import { palette } from "../../cli/render.ts";
import type { AttributeJson } from "../../shared/wire/index.ts";
import { Plan } from "../../shared/wire/index.ts";

const SHOP = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example], tls: {httpsRedirect: true}}
  - {port: {number: 8080, name: alt, protocol: HTTP}, hosts: [shop.example, "*.api.example"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  gateways: [shop]
  http:
  - name: closed
    match: [{uri: {exact: /closed}}]
    directResponse: {status: 503, body: {string: come back later}}
  - name: main
    route: [{destination: {host: web}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: x-user}}
    connectionPool: {tcp: {maxConnections: 10, connectTimeout: 1s}}
    outlierDetection: {consecutive5xxErrors: 3, baseEjectionTime: 20s, maxEjectionPercent: 50}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: waits}
spec:
  hosts: [web]
  http: [{route: [{destination: {host: web, subset: v9}}]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [api.outside.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shut}
spec: {egress: [{hosts: ["./*"]}]}
`;

async function explained(url: string, flags: RequestFlags = {}): Promise<Explanation> {
  const request = parseRequest("get", url, flags);
  return explainRequest(request, { source: new FileSource([{ name: "shop.yaml", text: SHOP }], request) });
}

const textOf = (explanation: Explanation): string => renderExplanation(explanation, palette(false));

describe("an explanation of a gateway", () => {
  const gateway = "istio-ingressgateway";

  test("calls a destination without a port at its only port, as the proxy does", async () => {
    const { service, destinations, request } = await explained("http://shop.example:8080/", { gateway });
    assert.equal(request.method, "GET");
    assert.equal(service?.port, 80);
    assert.deepEqual(
      destinations.map(({ host, port }) => [host, port]),
      [["web.default.svc.cluster.local", 80]],
    );
  });

  test("names the server whose redirect it is", async () => {
    const { answer, considered } = await explained("http://shop.example/x", { gateway });
    assert.deepEqual([answer?.status, answer?.location], [301, "https://shop.example/x"]);
    assert.deepEqual(considered, [{ step: "host", rule: "host shop.example", outcome: "chosen" }]);
  });

  test("tells a host that no server has from one that no VirtualService has", async () => {
    const bare = await explained("http://v1.api.example:8080/", { gateway });
    assert.match(bare.answer?.reason ?? "", /^gateway\/default\/shop has the host \*\.api\.example, but no Virtual/);
    const other = await explained("http://other.example:8080/", { gateway });
    assert.match(other.answer?.reason ?? "", /^no server of port 8080 has the host other\.example/);
  });

  test("tells the routes of one VirtualService apart", async () => {
    const explanation = await explained("http://shop.example:8080/closed", { gateway });
    const text = textOf(explanation);
    assert.match(text, /answers 503 itself: the route answers itself, body "come back later"/);
    assert.match(text, /chosen +gateway virtualservice\/default\/shop closed \(uri exact "\/closed"\)/);
    assert.match(text, /not reached gateway virtualservice\/default\/shop main \(every request\)/);
    assert.doesNotMatch(text, /timeout/);
  });
});

describe("an explanation of what is not so", () => {
  test("names a rule that waits, for its own hosts only", async () => {
    const { pending, rule } = await explained("http://web/");
    assert.equal(rule, "default");
    assert.equal(pending.length, 1);
    assert.equal(pending[0]?.rule, "virtualservice/default/waits");
    assert.match(pending[0]?.reason ?? "", /v9/);
    assert.match(
      textOf(await explained("http://web/")),
      /Waiting, and not in force:\n {2}virtualservice\/default\/waits/,
    );
    assert.deepEqual((await explained("http://other/")).pending, []);
  });

  test("says that a Sidecar leaves a host out", async () => {
    const { considered } = await explained("http://api.outside.example/", { from: "web.shut" });
    assert.deepEqual(considered, [
      {
        step: "host",
        rule: "host api.outside.example",
        outcome: "passed over",
        reason: "sidecar/shut/default leaves it out",
      },
    ]);
    const { service } = await explained("http://api.outside.example/", { from: "web.default" });
    assert.equal(service?.host, "api.outside.example");
  });
});

test("a policy in words leaves out what holds anyway", async () => {
  const { destinations } = await explained("http://web/");
  const [destination] = destinations;
  assert.ok(destination);
  assert.deepEqual(policyLines(destination.policy), [
    "balancing RING_HASH by destinationrule/default/web",
    "at most 10 connections, connecting takes at most 1 s",
    "instances left out for 20 s after 3 answers 5xx in a row, at most 50 % of them",
  ]);
});

describe("checks are asked with", () => {
  const plan = Plan.decode(
    Plan.encode({
      check: { attributes: ["source.principal", "source.workload.name", "request.path"], failOpen: true },
    }),
  );
  const asked = {
    ...parseRequest("GET", "http://web/x", { from: "shop.default" }),
    identity: "spiffe://cluster.local/ns/default/sa/shop",
    workload: "shop-v1",
  };

  async function attributesOver(transport: DestinationExplained["transport"]): Promise<Record<string, AttributeJson>> {
    const [web] = (await explained("http://web/")).destinations;
    assert.ok(web);
    let seen: Readonly<Record<string, AttributeJson>> = {};
    const checks = await explainChecks(plan, asked, { ...web, transport }, async (attributes) => {
      seen = attributes;
      return undefined;
    });
    assert.equal(checks?.asked, true);
    assert.equal(checks?.verdict, undefined);
    return { ...seen };
  }

  test("the caller's identity, where a certificate tells it", async () => {
    assert.equal((await attributesOver("mutual TLS"))["source.principal"], asked.identity);
    assert.equal((await attributesOver("plain text"))["source.principal"], undefined);
  });
});
