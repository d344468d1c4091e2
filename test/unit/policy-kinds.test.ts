import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createKindRegistry, type FieldError, type JsonObject } from "../../shared/model/index.ts";
import {
  ADAPTERS,
  type AdapterParams,
  type CompiledInstance,
  type CompiledRule,
  MapBag,
  POLICY_KINDS,
  TEMPLATES,
  type Value,
} from "../../shared/policy/index.ts";

const registry = createKindRegistry(POLICY_KINDS);
const CONTEXT = { namespace: "default", name: "x" };

function parse(kind: string, spec: JsonObject): { parsed: unknown; errors: readonly FieldError[]; spec: JsonObject } {
  const result = registry.resolve(kind).parseSpec(spec, "spec", CONTEXT);
  return { parsed: result.parsed, errors: result.errors, spec: result.spec };
}

function params(kind: string, spec: JsonObject = {}): unknown {
  const { parsed, errors } = parse(kind, spec);
  assert.deepEqual(errors, []);
  const handler = parsed as AdapterParams;
  assert.equal(handler.adapter, kind);
  return handler.params;
}

function instance(kind: string, spec: JsonObject): CompiledInstance {
  const { parsed, errors } = parse(kind, spec);
  assert.deepEqual(errors, []);
  return parsed as CompiledInstance;
}

function faults(kind: string, spec: JsonObject): Record<string, string> {
  const { errors } = parse(kind, spec);
  for (const { reason, remedy } of errors) assert.ok(reason !== "" && remedy !== "");
  return Object.fromEntries(errors.map(({ path, reason }) => [path, reason]));
}

const QUOTA = "requestcount.quota.istio-system";
const METRIC = "requestcount.metric.istio-system";

describe("the kinds of Mixer", () => {
  it("all have a definition of fields in the place of an open one", () => {
    for (const kind of [...ADAPTERS, ...TEMPLATES, "rule"]) {
      assert.equal(registry.resolve(kind).describe?.().type, "object", kind);
      assert.deepEqual(Object.keys(faults(kind, { nonsense: 1 })).includes("spec.nonsense"), true, kind);
    }
  });
});

describe("instances", () => {
  const bag = MapBag.of({ "request.path": "/x", "response.size": 12, "source.labels": { version: "v2" } });

  it("of checknothing have nothing", () => {
    assert.deepEqual(instance("checknothing", {}), { template: "checknothing", references: [] });
  });

  it("of listentry have a value that is text", () => {
    const made = instance("listentry", { value: 'source.labels["version"] | "none"' });
    assert(made.template === "listentry");
    assert.equal(made.value.evaluate(bag), "v2");
    assert.deepEqual(made.references, ["source.labels[version]"]);
    assert.deepEqual(faults("listentry", {}), { "spec.value": "required" });
    assert.deepEqual(faults("listentry", { value: "response.size" }), {
      "spec.value": "expression 'response.size' has type INT64, expected STRING",
    });
  });

  it("of quota have dimensions of any type", () => {
    const made = instance("quota", { dimensions: { path: "request.path", size: "response.size | 0" } });
    assert(made.template === "quota");
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(made.dimensions).map(([name, each]) => [name, [each.type, each.evaluate(bag)]]),
      ),
      { path: ["STRING", "/x"], size: ["INT64", 12] },
    );
    assert.deepEqual(made.references, ["request.path", "response.size"]);
  });

  it("of metric take names in snake_case and in lowerCamelCase", () => {
    const spec = { value: "response.size | 0", dimensions: { version: 'source.labels["version"]' } };
    for (const name of ["monitored_resource_type", "monitoredResourceType"]) {
      const made = instance("metric", {
        ...spec,
        [name]: '"UNSPECIFIED"',
        monitored_resource_dimensions: { p: "request.path" },
      });
      assert(made.template === "metric");
      assert.equal(made.monitoredResourceType?.evaluate(bag), "UNSPECIFIED");
      assert.equal(made.monitoredResourceDimensions["p"]?.evaluate(bag), "/x");
      assert.deepEqual(made.value.shape, { kind: "attribute", attribute: "response.size", fallback: 0 });
      assert.deepEqual(made.references, ["request.path", "response.size", "source.labels[version]"]);
    }
  });

  it("of logentry have variables, and may have a time and a severity", () => {
    const made = instance("logentry", {
      severity: '"Default"',
      timestamp: "request.time",
      variables: { latency: 'response.duration | "0ms"', user: "source.user" },
    });
    assert(made.template === "logentry");
    assert.equal(made.timestamp?.type, "TIMESTAMP");
    assert.equal(made.variables["latency"]?.type, "DURATION");
    assert.deepEqual(made.references, ["request.time", "response.duration", "source.user"]);
    const bare = instance("logentry", {});
    assert(bare.template === "logentry");
    assert.equal(bare.severity, undefined);
  });

  it("report every wrong expression with its path and position", () => {
    const { errors, parsed } = parse("logentry", {
      severity: "1",
      timestamp: "request.path",
      variables: { a: "source.servce", b: "request.path ==", "odd key": "nope()", c: 7 },
    });
    assert.equal(parsed, undefined);
    assert.deepEqual(
      errors.map(({ path, reason, position }) => [path, reason, position]),
      [
        ["spec.severity", "expression '1' has type INT64, expected STRING", 0],
        ["spec.timestamp", "expression 'request.path' has type STRING, expected TIMESTAMP", 0],
        ["spec.variables.a", "unknown attribute source.servce", 0],
        ["spec.variables.b", "unable to parse expression 'request.path ==': 1:16: expected operand, found 'EOF'", 15],
        ['spec.variables["odd key"]', "unknown function: nope", 0],
        ["spec.variables.c", "must be text, not the number 7", undefined],
      ],
    );
    assert.equal(errors[2]?.remedy, "did you mean source.service?");
  });

  it("say how constant text is written", () => {
    const [error] = parse("listentry", { value: "UNSPECIFIED" }).errors;
    assert.equal(error?.remedy, 'text needs quotes inside the expression: "UNSPECIFIED"');
  });
});

describe("rules", () => {
  const actions = [{ handler: "handler.denier", instances: ["deny.checknothing"] }];

  it("compile their condition, under its old name too", () => {
    for (const name of ["match", "selector"]) {
      const { parsed, errors } = parse("rule", {
        [name]: 'destination.labels["app"] == "ratings" && request.size == 7',
        actions,
      });
      assert.deepEqual(errors, []);
      const rule = parsed as CompiledRule;
      assert.deepEqual(rule.condition.equalities, [
        { attribute: "destination.labels[app]", value: "ratings" },
        { attribute: "request.size", value: 7 },
      ]);
      const attributes: Record<string, Value> = { "destination.labels": { app: "ratings" }, "request.size": 7 };
      assert.equal(rule.condition.evaluate(MapBag.of(attributes)), true);
      assert.deepEqual(rule.actions[0]?.handler, { name: "handler", kind: "denier", namespace: "default" });
    }
  });

  it("without a condition are for everything", () => {
    for (const spec of [{ actions }, { match: "", actions }, { match: "true", actions }]) {
      const { parsed } = parse("rule", spec);
      assert.equal((parsed as CompiledRule).condition.evaluate(MapBag.of({})), true);
    }
  });

  it("refuse a condition that is none", () => {
    assert.deepEqual(faults("rule", { match: "request.path", actions }), {
      "spec.match": "expression 'request.path' has type STRING, expected BOOL",
    });
    const [error] = parse("rule", { match: 'request.path == "/" && "^(*?;)?x".matches(request.path)', actions }).errors;
    assert.equal(error?.path, "spec.match");
    assert.match(error?.reason ?? "", /^bad pattern: missing argument to repetition operator/);
    assert.equal(error?.position, 'request.path == "/" && "^('.length);
    assert.deepEqual(
      Object.keys(faults("rule", { match: "a ==", actions: [{ handler: "x", instances: [] }] })).sort(),
      ["spec.actions[0].handler", "spec.actions[0].instances", "spec.match"],
    );
  });
});

describe("parameters of handlers", () => {
  it("have defaults", () => {
    assert.deepEqual(params("denier"), {
      status: { code: 9, message: "" },
      validDurationMs: 5000,
      validUseCount: 1000,
    });
    assert.deepEqual(params("listchecker"), {
      providerUrl: undefined,
      refreshIntervalMs: 60_000,
      ttlMs: 300_000,
      cachingIntervalMs: 300_000,
      cachingUseCount: 10_000,
      overrides: [],
      entryType: "STRINGS",
      blacklist: false,
    });
    assert.deepEqual(params("memquota"), { quotas: [], minDeduplicationDurationMs: 1000 });
    assert.deepEqual(params("prometheus"), { metrics: [] });
    assert.deepEqual(params("bus"), {});
    const stdio = params("stdio") as Record<string, unknown>;
    assert.equal(stdio["logStream"], "STDOUT");
    assert.equal(stdio["outputAsJson"], true);
    assert.equal((stdio["severityLevels"] as Record<string, string>)["WARN"], "WARNING");
    assert.equal(stdio["outputPath"], undefined);
    assert.equal(stdio["maxRotatedFiles"], 1000);
  });

  it("of denier are its answer", () => {
    const spec = { status: { code: 7, message: "Not allowed" }, valid_duration: "1m30s", validUseCount: 5 };
    assert.deepEqual(params("denier", spec), {
      status: { code: 7, message: "Not allowed" },
      validDurationMs: 90_000,
      validUseCount: 5,
    });
    assert.deepEqual(Object.keys(faults("denier", { status: { code: 99 }, validDuration: "5" })), [
      "spec.status.code",
      "spec.validDuration",
    ]);
  });

  it("of listchecker need an URL, a ttl not below the refresh, and entries of their type", () => {
    const spec = {
      providerUrl: "http://lists/a",
      refreshInterval: "1s",
      ttl: "10s",
      entryType: "IP_ADDRESSES",
      overrides: ["10.0.0.0/8", "1.2.3.4"],
    };
    assert.equal((params("listchecker", spec) as { ttlMs: number }).ttlMs, 10_000);
    assert.deepEqual(
      faults("listchecker", {
        providerUrl: "nowhere",
        refreshInterval: "500ms",
        entryType: "IP_ADDRESSES",
        overrides: ["1.2.3.4", "x"],
      }),
      {
        "spec.providerUrl": '"nowhere" is not an http or https URL',
        "spec.refreshInterval": "shorter than 1000 ms",
        "spec.overrides[1]": "not an address or a range of addresses",
      },
    );
    assert.deepEqual(faults("listchecker", { refreshInterval: "20s", ttl: "10s" }), {
      "spec.ttl": "shorter than refreshInterval",
    });
    const [regex] = parse("listchecker", { entryType: "REGEX", overrides: ["a+", "b(c"] }).errors;
    assert.equal(regex?.path, "spec.overrides[1]");
    assert.equal(regex?.position, 1);
  });

  it("of memquota are limits with overrides", () => {
    const spec = {
      quotas: [
        {
          name: QUOTA,
          maxAmount: 5000,
          validDuration: "1s",
          overrides: [
            { dimensions: { destination: "ratings", source: "reviews" }, maxAmount: 1, validDuration: "1s" },
            { dimensions: { destination: "ratings" }, maxAmount: 100 },
          ],
        },
      ],
    };
    assert.deepEqual(params("memquota", spec), {
      quotas: [
        {
          name: QUOTA,
          maxAmount: 5000,
          validDurationMs: 1000,
          overrides: [
            { dimensions: { destination: "ratings", source: "reviews" }, maxAmount: 1, validDurationMs: 1000 },
            { dimensions: { destination: "ratings" }, maxAmount: 100, validDurationMs: undefined },
          ],
        },
      ],
      minDeduplicationDurationMs: 1000,
    });
    assert.deepEqual(
      faults("memquota", {
        quotas: [{ name: "requestcount" }, { name: QUOTA }, { name: QUOTA }],
        minDeduplicationDuration: "0s",
      }),
      {
        "spec.quotas[0].name": '"requestcount" is not the full name of a quota',
        "spec.minDeduplicationDuration": "shorter than 1 ms",
        "spec.quotas": `two limits for ${QUOTA}`,
      },
    );
  });

  it("of redisquota are limits, windows, and what happens without Redis", () => {
    const quota = { name: QUOTA, maxAmount: 20, validDuration: "60s" };
    assert.deepEqual(params("redisquota", { quotas: [quota], redis_server_url: "localhost:6379" }), {
      quotas: [
        {
          name: QUOTA,
          maxAmount: 20,
          validDurationMs: 60_000,
          bucketDurationMs: 0,
          rateLimitAlgorithm: "FIXED_WINDOW",
          overrides: [],
        },
      ],
      redisServerUrl: "localhost:6379",
      onError: "open",
    });
    const rolling = {
      ...quota,
      rateLimitAlgorithm: 1,
      bucketDuration: "500ms",
      overrides: [{ dimensions: { a: "b" }, maxAmount: 1 }],
    };
    const made = params("redisquota", { quotas: [rolling], onError: "LOCAL" }) as {
      onError: string;
      quotas: { bucketDurationMs: number }[];
    };
    assert.equal(made.onError, "local");
    assert.equal(made.quotas[0]?.bucketDurationMs, 500);
    assert.deepEqual(faults("redisquota", {}), { "spec.quotas": "required" });
    assert.deepEqual(faults("redisquota", { quotas: [] }), { "spec.quotas": "is empty" });
    assert.deepEqual(
      faults("redisquota", {
        quotas: [
          { name: QUOTA, maxAmount: 1, validDuration: "0s" },
          { ...quota, name: "other.quota.default", rateLimitAlgorithm: "ROLLING_WINDOW" },
          {
            ...rolling,
            name: "third.quota.default",
            bucketDuration: "60s",
            overrides: [{ dimensions: {}, maxAmount: 0 }],
          },
        ],
        onError: "SHRUG",
        redisServerUrl: "",
      }),
      {
        "spec.quotas[0].validDuration": "shorter than 1 ms",
        "spec.quotas[1].bucketDuration": "a rolling window needs one",
        "spec.quotas[2].bucketDuration": "not shorter than validDuration",
        "spec.quotas[2].overrides[0].maxAmount": "0 is not between 1 and 1000000000000000",
        "spec.quotas[2].overrides[0].dimensions": "is empty",
        "spec.onError": "must be one of OPEN, CLOSED, LOCAL",
        "spec.redisServerUrl": "is empty",
      },
    );
  });

  it("of prometheus are metrics with computed bounds", () => {
    const metric = { instance_name: METRIC, kind: "DISTRIBUTION" };
    const bounds = (buckets: JsonObject): unknown =>
      (params("prometheus", { metrics: [{ ...metric, buckets }] }) as { metrics: { bounds: unknown }[] }).metrics[0]
        ?.bounds;
    assert.deepEqual(bounds({ linear_buckets: { num_finite_buckets: 3, width: 10, offset: 5 } }), [5, 15, 25, 35]);
    assert.deepEqual(
      bounds({ exponentialBuckets: { numFiniteBuckets: 3, growthFactor: 10, scale: 1 } }),
      [1, 10, 100, 1000],
    );
    assert.deepEqual(bounds({ explicit_buckets: { bounds: [0.1, 1] } }), [0.1, 1]);
    assert.deepEqual(params("prometheus", { metrics: [{ instanceName: METRIC, kind: 2, labelNames: ["a"] }] }), {
      metrics: [
        { name: "", instanceName: METRIC, description: "", kind: "COUNTER", bounds: undefined, labelNames: ["a"] },
      ],
    });
    assert.deepEqual(
      faults("prometheus", {
        metrics: [
          { ...metric, kind: "UNSPECIFIED" },
          { ...metric, name: "b", kind: "COUNTER", buckets: {} },
          { ...metric, name: "c", buckets: { explicit_buckets: { bounds: [2, 1] } } },
          {
            ...metric,
            name: "d",
            buckets: { exponential_buckets: { num_finite_buckets: 2, growth_factor: 1, scale: 1 } },
          },
          { ...metric, name: "e", label_names: ["a-b"] },
          { name: "f", kind: "GAUGE" },
          { ...metric, name: "b", kind: "GAUGE" },
        ],
      }),
      {
        "spec.metrics[0].kind": "must be GAUGE, COUNTER or DISTRIBUTION",
        "spec.metrics[1].buckets": "only a DISTRIBUTION has buckets",
        "spec.metrics[2].buckets.explicitBuckets.bounds": "must ascend",
        "spec.metrics[3].buckets.exponentialBuckets.growthFactor": "must be more than 1",
        "spec.metrics[4].labelNames[0]": '"a-b" is not a name of a Prometheus label',
        "spec.metrics[5].instanceName": "required",
        "spec.metrics": "two metrics named istio_b",
      },
    );
  });

  it("of prometheus are refused where the page of metrics could not show them", () => {
    const metric = { instance_name: METRIC, kind: "COUNTER" };
    assert.deepEqual(
      faults("prometheus", {
        metrics: [
          { ...metric, name: "requests!" },
          { ...metric, name: "a-b" },
          { ...metric, name: "ab" },
          { ...metric, name: "c", kind: "DISTRIBUTION", label_names: ["source", "le"] },
          { ...metric, name: "d", label_names: ["le"] },
          { ...metric, name: "e/f.g h" },
        ],
      }),
      {
        "spec.metrics[0].name": "istio_requests! is not a name of a Prometheus metric",
        "spec.metrics": "two metrics named istio_ab",
        "spec.metrics[3].labelNames": "le is what a DISTRIBUTION's buckets are told apart by",
      },
    );
    assert.deepEqual(faults("prometheus", { metrics: [{ kind: "COUNTER", instance_name: "a+b.metric.default" }] }), {
      "spec.metrics[0].instanceName": "istio_a+b_metric_default is not a name of a Prometheus metric",
    });
  });

  it("say at once how a duration is written when a number was given", () => {
    const { errors } = parse("denier", { validDuration: 5 });
    assert.deepEqual(errors, [
      {
        path: "spec.validDuration",
        value: 5,
        reason: 'must be a duration such as "5s" or "500ms", not the number 5',
        remedy: 'write "5s"',
      },
    ]);
  });

  it("of stdio need a file exactly where one is written", () => {
    assert.equal(
      (params("stdio", { logStream: "FILE", outputPath: "/tmp/x" }) as { outputPath: string }).outputPath,
      "/tmp/x",
    );
    assert.deepEqual(faults("stdio", { logStream: "ROTATED_FILE" }), {
      "spec.outputPath": "logStream ROTATED_FILE needs one",
    });
    assert.deepEqual(faults("stdio", { outputPath: "/tmp/x" }), { "spec.outputPath": "logStream STDOUT has no file" });
    assert.deepEqual(faults("stdio", { severityLevels: { Default: "LOUD" } }), {
      "spec.severityLevels.Default": "must be one of INFO, WARNING, ERROR",
    });
  });
});
