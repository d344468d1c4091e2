import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type AnalysedResource, analyze, type KnownService, type Message } from "../../shared/analysis/index.ts";
import { analysedResources, worldOf } from "../harness/analysis-world.ts";

const codesOf = (messages: readonly Message[]): readonly string[] => messages.map(({ code }) => code);

function virtualService(name: string, more = "", namespace = "default"): string {
  return `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  hosts: [reviews.default.svc.cluster.local]
${more}  http: [{route: [{destination: {host: reviews.default.svc.cluster.local}}]}]
`;
}

function aged(resource: AnalysedResource, creationTimestamp: string): AnalysedResource {
  const { parsed } = resource;
  assert.ok(parsed);
  const metadata = { ...parsed.resource.metadata, creationTimestamp };
  return { ...resource, parsed: { ...parsed, resource: { ...parsed.resource, metadata } } };
}

test("of two VirtualServices of one host the older is in force, whatever their names", () => {
  const [a, b] = analysedResources(virtualService("a") + virtualService("b"));
  assert.ok(a && b);
  const resources = [aged(a, "2030-01-02T00:00:00.000Z"), aged(b, "2030-01-01T00:00:00.000Z")];
  const found = analyze({ ...worldOf(""), resources }).filter(({ code }) => code === "LAT0201");
  assert.deepEqual(
    found.map(({ object }) => object.name),
    ["a"],
  );
  assert.match(found[0]?.message ?? "", /VirtualService default\/b, which is older/);
});

test("VirtualServices of one host for different callers do not conflict", () => {
  const own = virtualService("own", '  exportTo: ["."]\n', "shop");
  const named = virtualService("named", "  exportTo: [one, two]\n", "shop");
  const all = virtualService("all");
  assert.ok(!codesOf(analyze(worldOf(own + named + all))).includes("LAT0201"));
  const twice = analyze(worldOf(named + virtualService("other", "  exportTo: [two, three]\n", "shop")));
  const message = twice.find(({ code }) => code === "LAT0201");
  assert.match(message?.message ?? "", /for callers of two/);
});

test("MeshConfig says whom what says nothing is exported to", () => {
  const mesh = `---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: {defaultVirtualServiceExportTo: ["."]}
`;
  const both = virtualService("one", "", "one") + virtualService("two", "", "two");
  assert.ok(codesOf(analyze(worldOf(both))).includes("LAT0201"));
  assert.ok(!codesOf(analyze(worldOf(both + mesh))).includes("LAT0201"));
});

test("a subset counts only where its DestinationRule holds for the caller", () => {
  const rule = (namespace: string, exportTo: string): string => `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: ${namespace}}
spec:
  host: reviews.default.svc.cluster.local
  exportTo: ["${exportTo}"]
  subsets: [{name: v1, labels: {version: v1}}]
`;
  const route = virtualService("reviews", "", "shop").replace("cluster.local}}]", "cluster.local, subset: v1}}]");
  assert.ok(!codesOf(analyze(worldOf(route + rule("default", "*")))).includes("LAT0102"));
  assert.ok(!codesOf(analyze(worldOf(route + rule("shop", ".")))).includes("LAT0102"));
  const hidden = analyze(worldOf(route + rule("default", "."))).find(({ code }) => code === "LAT0102");
  assert.match(hidden?.message ?? "", /DestinationRule default\/reviews has it, but does not hold there/);
});

test("a reference to a resource that is not valid is no second fault", () => {
  const route = virtualService("shop", "  gateways: [public]\n");
  const gateway = `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: default}
spec: {servers: nonsense}
`;
  const codes = codesOf(analyze(worldOf(route + gateway)));
  assert.ok(codes.includes("LAT0001"));
  assert.ok(!codes.includes("LAT0103"));
});

test("without services nothing is said about hosts that could be services, but a domain needs an entry", () => {
  const to = (host: string): string => virtualService("reviews").replaceAll("reviews.default.svc.cluster.local", host);
  for (const host of ["nowhere", "nowhere.prod", "nowhere.prod.svc.cluster.local"])
    assert.ok(!codesOf(analyze(worldOf(to(host)))).includes("LAT0101"), host);
  assert.ok(codesOf(analyze(worldOf(to("api.example.com")))).includes("LAT0101"));
  assert.ok(codesOf(analyze(worldOf(to("nowhere"), { registered: ["reviews.default 80/http"] }))).includes("LAT0101"));
});

test("a code is told of one object a limited number of times", () => {
  const routes = Array.from(
    { length: 60 },
    (_, i) => `{name: r${i}, route: [{destination: {host: nowhere${i}.example.com}}]}`,
  );
  const yaml = virtualService("many").replace(/http: .*/, `http: [${routes.join(", ")}]`);
  const found = analyze(worldOf(yaml)).filter(({ code }) => code === "LAT0101");
  assert.equal(found.length, 20);
  assert.match(found.at(-1)?.message ?? "", /more of the same are not shown|nowhere/);
});

test("the rules that a new mesh starts with give no message, and Bookinfo's no error by themselves", () => {
  const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
  assert.deepEqual(analyze(worldOf(read("shared/policy/defaults.yaml"))), []);
  const folder = "samples/bookinfo/rules";
  for (const file of readdirSync(new URL(`../../../${folder}`, import.meta.url))) {
    const messages = analyze(worldOf(`${read("shared/policy/defaults.yaml")}\n---\n${read(`${folder}/${file}`)}`));
    assert.deepEqual(
      messages.filter(({ level }) => level === "Error"),
      [],
      file,
    );
  }
});

test("ten thousand resources are analysed in seconds", () => {
  const count = 2_500;
  const services: KnownService[] = [];
  const [vs, dr, rr, dp] =
    analysedResources(`${virtualService("a").replace("cluster.local}}]", "cluster.local, subset: v1}}]")}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: default}
spec: {host: reviews.default.svc.cluster.local, subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}]}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: a, namespace: default}
spec: {destination: {name: reviews}, precedence: 1, match: {request: {headers: {uri: {prefix: /a}}}}, route: [{labels: {version: v1}}]}
---
apiVersion: config.istio.io/v1alpha2
kind: DestinationPolicy
metadata: {name: a, namespace: default}
spec: {destination: {name: reviews, labels: {version: v1}}, loadBalancing: {name: RANDOM}}
`);
  assert.ok(vs && dr && rr && dp);
  const resources: AnalysedResource[] = [];
  for (let i = 0; i < count; i++) {
    const instance = {
      name: `i${i}`,
      labels: { version: "v1", app: `s${i}` },
      healthy: true,
      gateway: false,
      plaintext: false,
      ports: [{ number: 80, protocol: "http" }],
    };
    services.push({
      namespace: `n${i % 50}`,
      name: `s${i}`,
      ports: [{ number: 80, protocol: "http", name: "" }],
      instances: [instance],
    });
    const host = `s${i}.n${i % 50}.svc.cluster.local`;
    for (const template of [vs, dr, rr, dp]) {
      const { parsed } = template;
      assert.ok(parsed);
      const text = JSON.stringify(parsed.parsed)
        .replaceAll("reviews.default.svc.cluster.local", host)
        .replaceAll('"namespace":"default","service":"reviews"', `"namespace":"n${i % 50}","service":"s${i}"`);
      const key = { ...template.key, name: `a${i}`, namespace: `n${i % 50}` };
      const resource = {
        ...parsed.resource,
        metadata: { ...parsed.resource.metadata, name: key.name, namespace: key.namespace },
      };
      resources.push({ key, errors: [], parsed: { ...parsed, resource, parsed: JSON.parse(text) as unknown } });
    }
  }
  const startedMs = performance.now();
  const messages = analyze({ ...worldOf(""), resources, services });
  const tookMs = performance.now() - startedMs;
  assert.equal(resources.length, 10_000);
  assert.equal(messages.filter(({ code }) => code === "LAT0204").length, count);
  assert.deepEqual(messages.filter(({ level }) => level === "Error").slice(0, 3), []);
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
  console.log(`10000 resources of ${count} services: ${tookMs.toFixed(0)} ms`);
});

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec: {selector: {app: reviews}, ports: [{port: 9080, name: http}]}
---
`;

test("files that name services without what is behind them say nothing of instances", () => {
  const rules = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec: {host: reviews, workloadSelector: {matchLabels: {app: page}}, exportTo: ["."], subsets: [{name: v1, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: ["*"]
  gateways: [public]
  http: [{match: [{sourceLabels: {app: page}}], route: [{destination: {host: reviews}}]}, {route: [{destination: {host: reviews}}]}]
`;
  assert.deepEqual(codesOf(analyze(worldOf(SERVICE + rules))), []);
});

test("a subset must hold where the gateways are, not only where the rule is", () => {
  const rules = (exportTo: string): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: ["*"]
  gateways: [public]
  http: [{route: [{destination: {host: reviews, subset: v1}}]}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec: {host: reviews, exportTo: ["${exportTo}"], subsets: [{name: v1, labels: {version: v1}}]}
`;
  const registered = [
    "reviews.default 9080/http version=v1",
    "istio-ingress.istio-system 80/http istio=ingressgateway gateway",
  ];
  assert.deepEqual(codesOf(analyze(worldOf(rules("*"), { registered }))), []);
  const [message] = analyze(worldOf(rules("."), { registered }));
  assert.equal(message?.code, "LAT0102");
  assert.match(message?.message ?? "", /callers of istio-system/);
});

test("a warning of the schema is not told beside a code for the same", () => {
  const yaml = virtualService("reviews").replace(
    /http: .*/,
    "http: [{route: [{destination: {host: reviews}}]}, {timeout: 1s, route: [{destination: {host: reviews}}]}]",
  );
  assert.deepEqual(codesOf(analyze(worldOf(yaml))), ["LAT0202"]);
});

test("a VirtualService in force for some callers overrules a RouteRule for them alone", () => {
  const rule = `---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: reviews, namespace: default}
spec: {destination: {name: reviews}, route: [{labels: {version: v1}}]}
`;
  const told = (exportTo: string): string =>
    analyze(worldOf(virtualService("reviews", `  exportTo: ["${exportTo}"]\n`) + rule)).find(
      ({ code }) => code === "LAT0204",
    )?.message ?? "";
  assert.match(told("*"), /is in force for reviews\.default\.svc\.cluster\.local$/);
  assert.match(told("shop"), /for callers of shop$/);
});

test("paths are those of the fields as they were written", () => {
  const sidecar = `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: default}
spec: {egress: [{hosts: ["./*", "default/reviews.default.svc.cluster.local", "nowhere/*"]}]}
`;
  const mirrored = virtualService("reviews").replace("http: [{", "http: [{mirror: {host: copy.example.com}, ");
  const copies = virtualService("reviews").replace(
    "http: [{",
    "http: [{mirrors: [{destination: {host: copy.example.com}}], ",
  );
  const pathOf = (yaml: string, code: string): string | undefined =>
    analyze(worldOf(yaml, { registered: ["reviews.default 9080/http"] })).find((each) => each.code === code)?.path;
  assert.equal(pathOf(mirrored, "LAT0101"), "spec.http[0].mirror.host");
  assert.equal(pathOf(copies, "LAT0101"), "spec.http[0].mirrors[0].destination.host");
  assert.equal(pathOf(sidecar, "LAT0111"), "spec.egress[0].hosts[2]");
});

test("rules for different callers are not merged, those with a common caller are", () => {
  const rule = (name: string, exportTo: string): string => `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: default}
spec: {host: reviews, exportTo: [${exportTo}], trafficPolicy: {loadBalancer: {simple: RANDOM}}}
`;
  const isMerged = (a: string, b: string): boolean =>
    codesOf(analyze(worldOf(rule("a", a) + rule("b", b)))).includes("LAT0304");
  assert.ok(isMerged('"*"', '"."'));
  assert.ok(isMerged("one, two", "two, three"));
  assert.ok(!isMerged("one", "two"));
});
