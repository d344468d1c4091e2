import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EgressScope } from "../../services/proxy/mesh/egress-scope.ts";
import { WorkloadConfig } from "../../shared/wire/index.ts";

/** `<namespace>/<host>` each. */
function scope(...hosts: string[]): EgressScope {
  const egressHosts = hosts.map((each) => {
    const [namespace = "", host = ""] = each.split("/");
    return { namespace, host };
  });
  const [config] = WorkloadConfig.decode(WorkloadConfig.encode({ sidecars: [{ egressHosts }] })).sidecars;
  return new EgressScope(config ?? assert.fail("no scope"));
}

describe("a scope", () => {
  test("names services of one namespace by their full host", () => {
    const own = scope("default/reviews.default.svc.cluster.local");
    assert.ok(own.admitsService({ namespace: "default", service: "reviews" }));
    assert.ok(!own.admitsService({ namespace: "default", service: "ratings" }));
    assert.ok(!own.admitsService({ namespace: "other", service: "reviews" }));
  });

  test("names all of a namespace, or of every namespace", () => {
    const shared = scope("shared/*", "*/metrics.ops.svc.cluster.local");
    assert.ok(shared.admitsService({ namespace: "shared", service: "anything" }));
    assert.ok(shared.admits("shared", "api.example.com"));
    assert.ok(shared.admitsService({ namespace: "ops", service: "metrics" }));
    assert.ok(!shared.admitsService({ namespace: "ops", service: "logs" }));
    assert.ok(scope("*/*").admits("any", "host"));
  });

  test("a wildcard means every host below it, and wider ones not", () => {
    const example = scope("default/*.example.com");
    assert.ok(example.admits("default", "api.example.com"));
    assert.ok(example.admits("default", "a.b.example.com"));
    assert.ok(example.admits("default", "*.example.com"));
    assert.ok(example.admits("default", "*.api.example.com"));
    assert.ok(!example.admits("default", "example.com"));
    assert.ok(!example.admits("default", ".example.com"));
    assert.ok(!example.admits("default", "*.com"));
    assert.ok(!scope("default/api.example.com").admits("default", "*.example.com"));
  });
});
