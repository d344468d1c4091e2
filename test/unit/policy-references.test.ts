import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parseSubmission } from "../../shared/model/documents.ts";
import {
  createKindRegistry,
  formatKey,
  formatReference,
  keyOf,
  type ParsedResource,
  ROOT_NAMESPACE,
} from "../../shared/model/index.ts";
import {
  type CompiledInstance,
  checkReferences,
  checkRemoval,
  isTemplate,
  MapBag,
  POLICY_KINDS,
  type PolicyResources,
  type Value,
} from "../../shared/policy/index.ts";

const DEFAULT_CONFIG = readFileSync(new URL("../../../shared/policy/defaults.yaml", import.meta.url), "utf8");

const registry = createKindRegistry(POLICY_KINDS);

function resourcesOf(yaml: string): ParsedResource[] {
  return parseSubmission(yaml, registry).map((document) => {
    assert(document.ok, JSON.stringify(document));
    return document.parsed;
  });
}

class Resources implements PolicyResources {
  readonly #all = new Map<string, ParsedResource>();

  constructor(yaml: string) {
    for (const parsed of resourcesOf(yaml)) this.#all.set(formatKey(keyOf(parsed.resource)), parsed);
  }

  find(key: Parameters<PolicyResources["find"]>[0]): ParsedResource | undefined {
    return this.#all.get(formatKey(key));
  }

  *rules(): Iterable<ParsedResource> {
    for (const parsed of this.#all.values()) if (parsed.definition.kind === "rule") yield parsed;
  }

  get all(): Iterable<ParsedResource> {
    return this.#all.values();
  }
}

function document(kind: string, name: string, spec: object): string {
  return JSON.stringify({
    apiVersion: "config.istio.io/v1alpha2",
    kind,
    metadata: { name, namespace: "default" },
    spec,
  });
}

function one(kind: string, name: string, spec: object): ParsedResource {
  return resourcesOf(document(kind, name, spec))[0] as ParsedResource;
}

const QUOTAS = { quotas: [{ name: "count.quota.default", maxAmount: 1, validDuration: "1s" }] };

const WORLD = [
  document("denier", "deny", { status: { code: 7 } }),
  document("checknothing", "all", {}),
  document("memquota", "limits", QUOTAS),
  document("quota", "count", {}),
  document("quota", "other", {}),
  document("metric", "m", { value: "1" }),
  document("prometheus", "prom", { metrics: [{ instanceName: "m.metric.default", kind: "COUNTER" }] }),
  document("rule", "r", { actions: [{ handler: "limits.memquota", instances: ["count.quota"] }] }),
].join("\n---\n");

describe("references of rules", () => {
  const resources = new Resources(WORLD);
  const faults = (...actions: { handler: string; instances: string[] }[]): [string, string][] =>
    checkReferences(one("rule", "x", { actions }), resources).map(({ path, reason }) => [path, reason]);

  it("are good when everything is there", () => {
    assert.deepEqual(faults({ handler: "deny.denier", instances: ["all.checknothing.default"] }), []);
    assert.deepEqual(faults({ handler: "limits.memquota.default", instances: ["count.quota"] }), []);
    assert.deepEqual(faults({ handler: "prom.prometheus", instances: ["m.metric"] }), []);
  });

  it("are bad when something is missing or of the wrong class", () => {
    assert.deepEqual(
      faults(
        { handler: "gone.denier", instances: ["all.checknothing", "gone.quota.elsewhere"] },
        { handler: "all.checknothing", instances: ["deny.denier"] },
      ),
      [
        ["spec.actions[0].handler", "gone.denier.default not found"],
        ["spec.actions[0].instances[1]", "gone.quota.elsewhere not found"],
        ["spec.actions[1].handler", "all.checknothing.default is not a handler"],
        ["spec.actions[1].instances[0]", "deny.denier.default is not an instance"],
      ],
    );
  });

  it("are bad when the handler does not take the instance", () => {
    assert.deepEqual(faults({ handler: "deny.denier", instances: ["m.metric"] }), [
      ["spec.actions[0].instances[0]", "a denier does not take a metric"],
    ]);
    assert.deepEqual(faults({ handler: "limits.memquota", instances: ["other.quota"] }), [
      ["spec.actions[0].instances[0]", "did not find limit defined for quota other.quota.default"],
    ]);
  });

  it("keep a handler from dropping what rules send to it", () => {
    assert.deepEqual(checkReferences(one("memquota", "limits", QUOTAS), resources), []);
    const [error] = checkReferences(one("memquota", "limits", { quotas: [] }), resources);
    assert.equal(
      error?.reason,
      "did not find limit defined for quota count.quota.default, which rule/default/r sends here",
    );
  });

  it("keep what they name from being deleted", () => {
    const reason = (kind: string, name: string): string | undefined =>
      checkRemoval({ kind, namespace: "default", name }, resources)[0]?.reason;
    assert.equal(reason("memquota", "limits"), "limits.memquota.default is used by rule/default/r");
    assert.equal(reason("quota", "count"), "count.quota.default is used by rule/default/r");
    assert.equal(reason("quota", "other"), undefined);
    assert.equal(reason("denier", "deny"), undefined);
    assert.equal(reason("rule", "r"), undefined);
  });
});

describe("the configuration that a new mesh starts with", () => {
  const resources = new Resources(DEFAULT_CONFIG);

  it("is valid, complete, and in the root namespace", () => {
    const keys = [...resources.all].map(({ resource }) => formatKey(keyOf(resource)));
    assert.deepEqual(keys.sort(), [
      "bus/istio-system/handler",
      "logentry/istio-system/accesslog",
      "metric/istio-system/requestcount",
      "metric/istio-system/requestduration",
      "metric/istio-system/requestsize",
      "metric/istio-system/responsesize",
      "prometheus/istio-system/handler",
      "rule/istio-system/promhttp",
      "rule/istio-system/stdio",
      "rule/istio-system/telemetry",
      "stdio/istio-system/handler",
    ]);
    for (const parsed of resources.all) {
      assert.equal(parsed.resource.metadata.namespace, ROOT_NAMESPACE);
      assert.deepEqual(checkReferences(parsed, resources), []);
    }
  });

  it("names each resource before what refers to it", () => {
    const pieces = DEFAULT_CONFIG.split("\n---\n");
    for (const count of pieces.keys()) {
      const firstOnes = new Resources(pieces.slice(0, count + 1).join("\n---\n"));
      for (const parsed of firstOnes.all) assert.deepEqual(checkReferences(parsed, firstOnes), []);
    }
  });

  it("makes every value of a request that has nothing but a time", () => {
    const bare: Record<string, Value> = { "request.time": 1 };
    for (const parsed of resources.all) {
      if (!isTemplate(parsed.definition.kind)) continue;
      for (const [name, each] of expressionsOf(parsed.parsed as CompiledInstance)) {
        assert.doesNotThrow(() => each.evaluate(MapBag.of(bare)), `${parsed.resource.metadata.name} ${name}`);
      }
    }
  });

  it("logs who called, by certificate", () => {
    const log = resources.find({ kind: "logentry", namespace: ROOT_NAMESPACE, name: "accesslog" })
      ?.parsed as CompiledInstance;
    assert(log.template === "logentry");
    const bag = MapBag.of({
      "source.principal": "spiffe://cluster.local/ns/default/sa/a",
      "source.user": "cluster.local/ns/default/sa/a",
    });
    assert.equal(log.variables["sourcePrincipal"]?.evaluate(bag), "spiffe://cluster.local/ns/default/sa/a");
    assert.equal(log.variables["sourceUser"]?.evaluate(bag), "cluster.local/ns/default/sa/a");
  });

  it("tells metrics apart by the same dimensions, all of which Prometheus shows", () => {
    const handler = resources.find({ kind: "prometheus", namespace: ROOT_NAMESPACE, name: "handler" });
    assert(handler !== undefined);
    const { params } = handler.parsed as { params: { metrics: { instanceName: string; labelNames: string[] }[] } };
    assert.equal(params.metrics.length, 4);
    for (const { instanceName, labelNames } of params.metrics) {
      const [name = "", kind = "", namespace = ""] = instanceName.split(".");
      const made = resources.find({ kind, namespace, name })?.parsed as CompiledInstance;
      assert(made.template === "metric");
      assert.deepEqual(Object.keys(made.dimensions).sort(), [...labelNames].sort());
      assert.notEqual(made.value.shape.kind, "computed");
      assert.ok(made.references.includes(formatReference("destination.labels", "version")));
    }
  });
});

function expressionsOf(made: CompiledInstance): [string, { evaluate(bag: MapBag): Value }][] {
  switch (made.template) {
    case "metric":
      return [["value", made.value], ...Object.entries(made.dimensions)];
    case "logentry":
      return [
        ...Object.entries(made.variables),
        ...(made.timestamp === undefined ? [] : [["timestamp", made.timestamp] as [string, typeof made.timestamp]]),
      ];
    default:
      return [];
  }
}
