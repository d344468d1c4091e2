import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { ServiceClusters } from "../../services/proxy/mesh/service-clusters.ts";
import { ServicePolicies } from "../../services/proxy/mesh/service-policies.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { EndpointSet, ServiceConfig, type TrafficPolicyInput } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/index.ts";

const caller = { ...UNKNOWN_PEER, namespace: "shop", service: "cart", labels: { app: "cart" } };
const [v1, v2] = [{ version: "v1" }, { version: "v2" }];

/** Through the wire and back, so that absent fields are as a follower sees them. */
function config(...policies: TrafficPolicyInput[]): ServiceConfig {
  const host = "reviews.default.svc.cluster.local";
  return ServiceConfig.decode(ServiceConfig.encode({ namespace: "default", name: "reviews", host, policies }));
}

describe("the policy of a cluster", () => {
  const chosen = (policies: TrafficPolicyInput[], labels: Readonly<Record<string, string>>, port = 0) =>
    new ServicePolicies(config(...policies).policies, caller).of(labels, port)?.rule;

  test("is the first whose labels are equal, not a part of the cluster's", () => {
    const policies = [{ rule: "all" }, { rule: "v1", labels: v1 }, { rule: "late", labels: v1 }];
    assert.equal(chosen(policies, {}), "all");
    assert.equal(chosen(policies, v1), "v1");
    assert.equal(chosen(policies, v2), undefined);
    assert.equal(chosen(policies, { ...v1, app: "reviews" }), undefined);
  });

  test("is one for any labels where none has just these", () => {
    const policies = [
      { rule: "any", anyLabels: true },
      { rule: "v1", labels: v1 },
    ];
    assert.deepEqual(
      [{}, v1, v2].map((labels) => chosen(policies, labels)),
      ["any", "v1", "any"],
    );
  });

  test("is for callers of its namespaces and with its labels only", () => {
    const policies = [
      { rule: "elsewhere", namespaces: ["blog", "default"] },
      { rule: "other workload", namespaces: ["shop"], source: { labels: { app: "search" } } },
      { rule: "mine", namespaces: ["blog", "shop"], source: { labels: { app: "cart" } } },
      { rule: "everybody" },
    ];
    assert.equal(chosen(policies, {}), "mine");
    assert.equal(chosen(policies.toSpliced(2, 1), {}), "everybody");
  });

  test("is one for just this port before one for all, of the same labels first", () => {
    const policies = [
      { rule: "all", anyLabels: true },
      { rule: "all:80", anyLabels: true, port: 80 },
      { rule: "v1", labels: v1 },
      { rule: "v2:80", labels: v2, port: 80 },
    ];
    const of = (labels: Readonly<Record<string, string>>) => [0, 80, 81].map((port) => chosen(policies, labels, port));
    assert.deepEqual(of({}), ["all", "all:80", "all"]);
    assert.deepEqual(of(v1), ["v1", "v1", "v1"]);
    assert.deepEqual(of(v2), ["all", "v2:80", "all"]);
  });
});

describe("a service's clusters", () => {
  const connector = new Connector({
    connectTimeoutMs: 1_000,
    self: caller,
    identity: () => undefined,
    verify: () => ({ error: "not used" }),
  });
  const clock = new FakeClock();
  const { endpoints } = EndpointSet.decode(
    EndpointSet.encode({
      endpoints: ["v1", "v2"].map((version) => ({
        instance: version,
        address: "10.0.0.1",
        labels: { version },
        healthy: true,
        ports: [80, 81].map((number) => ({ number, protocol: "http", addressPort: 15006 })),
      })),
    }),
  );
  const clusters = () => new ServiceClusters("default", "reviews", { self: caller, connector, clock });
  const limited = (maxConnections: number) => ({ circuitBreaker: { maxConnections } });

  test("are one for each set of labels while no policy speaks of a port", () => {
    const all = clusters();
    const [service, version] = [all.of({}), all.of(v1)];
    all.update(config({ ...limited(7), anyLabels: true }), endpoints);
    assert.equal(service.forPort(80), service);
    assert.deepEqual(
      [service, version].map(({ hosts }) => hosts.length),
      [2, 1],
    );
    assert.deepEqual(
      [service, version].map(({ breaker }) => breaker.limits.maxConnections),
      [7, 7],
    );
    assert.deepEqual(
      [...all].map(({ name }) => name),
      ["reviews.default", "reviews.default|version=v1"],
    );
  });

  test("are apart for a port with a policy of its own, with limits, balancer and hosts of their own", () => {
    const all = clusters();
    const version = all.of(v1);
    const policies = [limited(7), { ...limited(3), port: 81, loadBalancing: "RANDOM", anyLabels: true }];
    all.update(config(...policies), endpoints);
    const port = version.forPort(81);
    assert.notEqual(port, version);
    assert.equal(version.forPort(80), version);
    assert.equal(port.name, "reviews.default:81|version=v1");
    assert.deepEqual([port.policy.loadBalancing, version.policy.loadBalancing], ["RANDOM", "ROUND_ROBIN"]);
    assert.deepEqual([port.breaker.limits.maxConnections, version.breaker.limits.maxConnections], [3, 1024]);
    const [host] = port.hosts;
    assert.deepEqual([port.hosts.length, [...(host?.ports.keys() ?? [])]], [1, [81]]);
    assert.equal(port.choose(81, undefined), host);

    all.update(config(...policies), endpoints);
    assert.equal(version.forPort(81), port, "it stays itself while its policy stays");
    assert.equal(port.hosts[0], host);
    all.update(config(limited(7)), endpoints);
    assert.equal(version.forPort(81), version);
    assert.deepEqual([...all], [version]);
  });
});
