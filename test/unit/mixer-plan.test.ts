import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { linkConfig } from "../../services/mixer/linked-config.ts";
import { type PlannedService, planFor } from "../../services/mixer/plan.ts";
import { DEFAULT_PLAN_KEY, PlanBook } from "../../services/mixer/plan-book.ts";
import { ServiceDirectory } from "../../services/mixer/service-directory.ts";
import { Plan, ServiceConfig, tableKey } from "../../shared/wire/index.ts";
import { ConfigFeed } from "./mixer-config.ts";

const DEFAULT_CONFIG = readFileSync(new URL("../../../shared/policy/defaults.yaml", import.meta.url), "utf8");

function planned(namespace: string, service: string, protocols: readonly string[]): PlannedService {
  return { namespace, service, host: `${service}.${namespace}.svc.cluster.local`, protocols, hasProxy: true };
}

const RATINGS = planned("default", "ratings", ["http"]);
const REVIEWS = planned("default", "reviews", ["http"]);
const OTHER = planned("other", "x", ["http"]);
const MONGO = planned("default", "mongodb", ["tcp"]);
const SETTINGS = { failOpen: true };

const DENIER = `
kind: denier
metadata: {name: deny}
spec: {}
---
kind: checknothing
metadata: {name: nothing}
spec: {}
`;

const denyWhen = (match: string, name = "deny") => `
kind: rule
metadata: {name: ${name}}
spec: {match: '${match}', actions: [{handler: deny.denier, instances: [nothing.checknothing]}]}
`;

function plan(yaml: string, service: PlannedService | undefined) {
  const feed = new ConfigFeed();
  feed.apply(yaml);
  const config = linkConfig(feed.set);
  assert.deepEqual(config.faults, []);
  return planFor(config, service, SETTINGS).plan;
}

describe("a plan's checks", () => {
  const cases: readonly { name: string; match: string; asked: readonly PlannedService[] }[] = [
    { name: "a rule without condition asks everybody in its namespace", match: "true", asked: [RATINGS, REVIEWS] },
    {
      name: "a rule for one service asks that service",
      match: 'destination.service == "ratings.default.svc.cluster.local"',
      asked: [RATINGS],
    },
    {
      name: "the literal may stand first, and other conjuncts do not matter",
      match: '"ratings.default.svc.cluster.local" == destination.service && request.path == "/x"',
      asked: [RATINGS],
    },
    {
      name: "a disjunction narrows nothing",
      match: 'destination.service == "ratings.default.svc.cluster.local" || request.path == "/x"',
      asked: [RATINGS, REVIEWS],
    },
    { name: "a rule for another namespace asks nobody", match: 'destination.namespace == "other"', asked: [] },
    { name: "a rule for the client's side is no check", match: 'context.reporter.kind == "outbound"', asked: [] },
    { name: "a rule for TCP asks only TCP services", match: 'context.protocol == "tcp"', asked: [MONGO] },
  ];
  for (const { name, match, asked } of cases) {
    test(name, () => {
      for (const service of [RATINGS, REVIEWS, MONGO, OTHER]) {
        const { check } = plan(`${DENIER}---${denyWhen(match)}`, service);
        assert.equal(check !== undefined, asked.includes(service), service.service);
      }
    });
  }

  test("name every attribute that a rule may read, maps by key", () => {
    const { check } = plan(
      `${DENIER}---${denyWhen('request.headers["x-user"] | "" == "" && source.labels["version"] == "v3"')}`,
      RATINGS,
    );
    assert.deepEqual(check?.attributes, ["context.protocol", "request.headers[x-user]", "source.labels[version]"]);
    assert.equal(check?.failOpen, true);
  });

  test("of the default plan contain the rules of every namespace, unnarrowed", () => {
    const { check } = plan(
      `${DENIER}---${denyWhen('destination.service == "ratings.default.svc.cluster.local"')}`,
      undefined,
    );
    assert.deepEqual(check?.attributes, ["context.protocol", "destination.service"]);
  });

  test("are absent where no rule applies", () => {
    assert.deepEqual(plan("", RATINGS), { quotas: [] });
  });
});

const QUOTA = `
kind: memquota
metadata: {name: handler, namespace: istio-system}
spec: {quotas: [{name: requestcount.quota.istio-system, maxAmount: 10, validDuration: 1s}]}
---
kind: quota
metadata: {name: requestcount, namespace: istio-system}
spec: {dimensions: {source: 'source.labels["app"] | "unknown"'}}
---
kind: rule
metadata: {name: quota, namespace: istio-system}
spec: {actions: [{handler: handler.memquota, instances: [requestcount.quota]}]}
`;
const BINDING = `
kind: QuotaSpec
metadata: {name: request-count, namespace: istio-system}
spec:
  rules:
    - match: [{clause: {request.path: {prefix: /ratings}}}]
      quotas: [{charge: 2, quota: RequestCount}]
---
kind: QuotaSpecBinding
metadata: {name: request-count, namespace: istio-system}
spec:
  quotaSpecs: [{name: request-count, namespace: istio-system}]
  services: [{name: ratings, namespace: default}]
`;

describe("a plan's quotas", () => {
  test("belong to the bound services only", () => {
    const { quotas, check } = plan(`${QUOTA}---${BINDING}`, RATINGS);
    assert.deepEqual(quotas, [
      {
        matches: [{ clauses: [{ attribute: "request.path", prefix: "/ratings" }] }],
        charges: [{ quota: "RequestCount", charge: 2 }],
      },
    ]);
    assert.deepEqual(check?.attributes, ["context.protocol", "source.labels[app]"]);
    assert.deepEqual(plan(`${QUOTA}---${BINDING}`, REVIEWS), { quotas: [] });
  });

  test("are not asked for where no rule counts them", () => {
    assert.deepEqual(plan(BINDING, RATINGS), { quotas: [] });
  });
});

const METRICS = `
kind: prometheus
metadata: {name: handler, namespace: istio-system}
spec:
  metrics:
    - {name: request_count, instance_name: count.metric.istio-system, kind: COUNTER, label_names: [code]}
    - name: request_duration
      instance_name: duration.metric.istio-system
      kind: DISTRIBUTION
      label_names: [code]
      buckets: {explicit_buckets: {bounds: [0.005, 0.07]}}
---
kind: metric
metadata: {name: count, namespace: istio-system}
spec: {value: "1", dimensions: {code: response.code | 200}}
---
kind: metric
metadata: {name: duration, namespace: istio-system}
spec: {value: 'response.duration | "0ms"', dimensions: {code: response.code | 200}}
---
kind: rule
metadata: {name: prom, namespace: istio-system}
spec: {actions: [{handler: handler.prometheus, instances: [count.metric, duration.metric]}]}
`;

describe("a plan's reports", () => {
  test("are merged by what the rules read, with the bounds of the histograms in milliseconds", () => {
    const { inbound, outbound } = plan(METRICS, RATINGS);
    assert.deepEqual(inbound, {
      groupBy: [
        "context.protocol",
        "context.reporter.kind",
        "destination.namespace",
        "destination.service",
        "response.code",
      ],
      values: [{ attribute: "response.duration", bounds: [5, 70] }],
      eachRequest: false,
      each: [],
    });
    assert.equal(outbound, undefined);
  });

  test("of the client's side are wanted by rules that ask for them, and where there may be no proxy", () => {
    const yaml = METRICS.replace("spec: {actions:", `spec: {match: 'context.reporter.kind == "outbound"', actions:`);
    const { inbound, outbound } = plan(yaml, RATINGS);
    assert.equal(inbound, undefined);
    assert.ok(outbound);
    assert.ok(plan(METRICS, undefined).outbound);
  });

  test("name all that a row on the bus tells", () => {
    const { inbound } = plan(
      `${METRICS}---
kind: bus
metadata: {name: handler, namespace: istio-system}
spec: {}
---
kind: rule
metadata: {name: bus, namespace: istio-system}
spec: {actions: [{handler: handler.bus, instances: [count.metric]}]}`,
      RATINGS,
    );
    for (const reference of [
      "source.workload",
      "source.labels[version]",
      "source.principal",
      "destination.workload",
      "response.code",
    ]) {
      assert.ok(inbound?.groupBy?.includes(reference), reference);
    }
  });

  test("of each request are wanted by logs and by values that cannot be summed", () => {
    const { inbound } = plan(
      `${METRICS}---
kind: stdio
metadata: {name: handler, namespace: istio-system}
spec: {}
---
kind: logentry
metadata: {name: log, namespace: istio-system}
spec: {severity: '"Default"', timestamp: request.time, variables: {path: request.path | ""}}
---
kind: rule
metadata: {name: log, namespace: istio-system}
spec: {actions: [{handler: handler.stdio, instances: [log.logentry]}]}`,
      RATINGS,
    );
    assert.equal(inbound?.eachRequest, true);
    assert.ok(inbound?.each?.includes("request.path") && inbound.each.includes("request.time"));
    assert.ok(!inbound?.groupBy?.includes("request.path"));
  });
});

test("the installed rules ask no checks, merge the metrics and want each request for the access log", () => {
  const { check, inbound, outbound } = plan(DEFAULT_CONFIG, RATINGS);
  assert.equal(check, undefined);
  assert.equal(inbound?.eachRequest, true);
  assert.ok(
    inbound?.groupBy && !inbound.groupBy.some((reference) => /time|request\.id|path|size|duration/.test(reference)),
    String(inbound?.groupBy),
  );
  assert.deepEqual(
    inbound?.values?.map(({ attribute }) => attribute),
    ["request.size", "response.duration", "response.size"],
  );
  assert.equal(inbound?.values?.[1]?.bounds?.[0], 5);
  assert.equal(outbound?.eachRequest, false, "the client's side is told on the bus only, merged");
  assert.ok(outbound?.groupBy?.includes("destination.workload"));
});

describe("a plan's revision", () => {
  const start = () => {
    const feed = new ConfigFeed();
    feed.apply(`${DENIER}---${denyWhen('destination.service == "ratings.default.svc.cluster.local"')}`);
    const book = new PlanBook(SETTINGS);
    const revisions = () => {
      const plans = book.update(feed.set, [RATINGS, REVIEWS]);
      return new Map([...plans].map(([key, bytes]) => [key, Plan.decode(bytes).revision]));
    };
    return { feed, book, revisions };
  };
  const ratings = tableKey("default", "ratings");
  const reviews = tableKey("default", "reviews");

  test("is that of the newest resource in it", () => {
    const { feed, revisions } = start();
    const before = revisions();
    assert.equal(before.get(ratings), 3);
    assert.equal(before.get(reviews), 1, "nothing in it yet");
    const changed = feed.apply(DENIER.split("---")[0] ?? "");
    assert.equal(revisions().get(ratings), changed, "a handler that it uses");
    assert.equal(revisions().get(reviews), 1);
  });

  test("moves when a resource leaves it, by change or by deletion", () => {
    const { feed, book, revisions } = start();
    revisions();
    const moved = feed.apply(denyWhen('destination.service == "reviews.default.svc.cluster.local"'));
    const after = revisions();
    assert.deepEqual([after.get(ratings), after.get(reviews)], [moved, moved]);
    assert.deepEqual(
      book
        .touchedBy(feed.key("rule", "default", "deny"))
        .map(({ key }) => key)
        .sort(),
      [DEFAULT_PLAN_KEY, ratings, reviews].sort(),
    );
    const deleted = feed.remove("rule", "default", "deny");
    const last = revisions();
    assert.deepEqual([last.get(ratings), last.get(reviews), last.get(DEFAULT_PLAN_KEY)], [moved, deleted, deleted]);
  });

  test("never falls behind that of a former leader", () => {
    const { feed, revisions, book } = start();
    book.inherit([[reviews, Plan.encode({ revision: 40 })]]);
    feed.revision = 44;
    feed.remove("rule", "default", "gone");
    const after = revisions();
    assert.equal(after.get(reviews), 45, "a deletion that nobody saw may have touched it");
    assert.equal(after.get(ratings), 3);
  });
});

describe("a host outside that configuration names", () => {
  const SHOP: PlannedService = {
    namespace: "default",
    service: "api.shop.example",
    host: "api.shop.example",
    protocols: ["http"],
    hasProxy: false,
  };
  const METRIC = `
kind: bus
metadata: {name: handler, namespace: istio-system}
---
kind: metric
metadata: {name: count, namespace: istio-system}
spec: {value: "1"}
---
kind: rule
metadata: {name: count, namespace: istio-system}
spec: {match: 'destination.service == "api.shop.example"', actions: [{handler: handler.bus, instances: [count.metric]}]}
`;

  test("is reported by its callers, since nobody reports what reaches it", () => {
    const { inbound, outbound } = plan(METRIC, SHOP);
    assert.equal(inbound, undefined);
    assert.ok(outbound);
    const meshed = plan(METRIC, { ...SHOP, hasProxy: true });
    assert.ok(meshed.inbound);
    assert.equal(meshed.outbound, undefined);
  });

  test("is told from services of the mesh by its having no identities", () => {
    const directory = new ServiceDirectory();
    const config = (serviceAccounts: string[]) =>
      ServiceConfig.encode({ namespace: "default", name: SHOP.service, host: SHOP.host, serviceAccounts });
    assert.ok(directory.apply("default.shop", config([])));
    assert.deepEqual([...directory.services], [{ ...SHOP, protocols: [] }]);
    assert.equal(directory.hasProxy(SHOP.host), false);
    assert.equal(directory.apply("default.shop", config([])), false);
    assert.ok(directory.apply("default.shop", config(["spiffe://cluster.local/ns/default/sa/shop"])));
    assert.ok(directory.hasProxy(SHOP.host));
  });
});
