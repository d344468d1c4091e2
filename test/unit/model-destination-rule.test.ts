import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DESTINATION_RULE, type JsonObject } from "../../shared/model/index.ts";
import { meaning, refusals, warnings } from "../kinds/judged.ts";

const rule = (trafficPolicy: JsonObject, more: JsonObject = {}): JsonObject => ({
  host: "reviews",
  trafficPolicy,
  ...more,
});
const balancer = (loadBalancer: JsonObject): JsonObject => rule({ loadBalancer });
const balancerOf = (loadBalancer: JsonObject) =>
  meaning(DESTINATION_RULE, balancer(loadBalancer)).trafficPolicy?.loadBalancer;

describe("a DestinationRule", () => {
  test("is for a host of its namespace, seen by all, of all callers", () => {
    assert.deepEqual(meaning(DESTINATION_RULE, rule({ tls: { mode: "ISTIO_MUTUAL" } })), {
      host: { host: "reviews.prod.svc.cluster.local", service: { namespace: "prod", service: "reviews" } },
      trafficPolicy: {
        loadBalancer: undefined,
        connectionPool: undefined,
        outlierDetection: undefined,
        tls: { mode: "ISTIO_MUTUAL", sni: "", subjectAltNames: [], caCertificates: "", insecureSkipVerify: false },
        portLevelSettings: [],
        retryBudget: undefined,
      },
      subsets: [],
      exportTo: [],
      workloadLabels: undefined,
    });
  });

  test("names subsets in any letter case, as Istio does", () => {
    const { subsets } = meaning(DESTINATION_RULE, { host: "a", subsets: [{ name: "V1-Canary" }] });
    assert.deepEqual(
      subsets.map(({ name }) => name),
      ["V1-Canary"],
    );
  });

  test("names subsets by labels, with policies of their own", () => {
    const { subsets } = meaning(DESTINATION_RULE, {
      host: "reviews",
      subsets: [
        { name: "v1", labels: { version: "v1" } },
        { name: "all", trafficPolicy: { retryBudget: {} } },
      ],
    });
    assert.deepEqual(
      subsets.map(({ name, labels, trafficPolicy }) => [name, labels, trafficPolicy?.retryBudget]),
      [
        ["v1", { version: "v1" }, undefined],
        ["all", {}, { percent: 20, minConcurrency: 3 }],
      ],
    );
  });

  test("reads every way to choose an instance", () => {
    assert.equal(balancerOf({ simple: "LEAST_CONN" })?.simple, "LEAST_REQUEST");
    assert.equal(balancerOf({ simple: "UNSPECIFIED" })?.simple, undefined);
    assert.equal(balancerOf({ simple: 4 })?.simple, "ROUND_ROBIN");
    const hash = (consistentHash: JsonObject) => balancerOf({ consistentHash })?.consistentHash;
    assert.deepEqual(hash({ httpHeaderName: "X-User" }), {
      hash: { header: "x-user" },
      algorithm: "RING_HASH",
      tableSize: 0,
    });
    assert.deepEqual(hash({ httpCookie: { name: "a", ttl: "1h" }, ringHash: {} })?.hash, {
      cookie: { name: "a", path: "", ttlMs: 3_600_000 },
    });
    assert.deepEqual(hash({ httpCookie: { name: "a", path: "/", ttl: "0s" } })?.hash, {
      cookie: { name: "a", path: "/", ttlMs: -1 },
    });
    assert.deepEqual(hash({ httpCookie: { name: "a" } })?.hash, { cookie: { name: "a", path: "", ttlMs: 0 } });
    assert.deepEqual(hash({ useSourceIp: true, maglev: { tableSize: "251" } }), {
      hash: { sourceIp: true },
      algorithm: "MAGLEV",
      tableSize: 251,
    });
    assert.deepEqual(balancerOf({ warmupDurationSecs: "30s" })?.warmup, {
      windowMs: 30_000,
      aggression: 0,
      minPercent: 0,
    });
  });

  test("prefers near instances unless it is told not to", () => {
    const locality = (setting: JsonObject) => balancerOf({ localityLbSetting: setting })?.locality;
    assert.deepEqual(locality({}), { distribute: [], failover: true });
    assert.deepEqual(locality({ enabled: false }), { distribute: [], failover: false });
    assert.deepEqual(locality({ distribute: [{ from: "eu/*", to: { "eu/a": 70, us: 30 } }] }), {
      distribute: [
        {
          from: "eu/*",
          to: [
            { locality: "eu/a", weight: 70 },
            { locality: "us", weight: 30 },
          ],
        },
      ],
      failover: false,
    });
  });

  test("reads limits, and takes tcp's idle time where http has none", () => {
    const pool = (connectionPool: JsonObject) =>
      meaning(DESTINATION_RULE, rule({ connectionPool })).trafficPolicy?.connectionPool;
    assert.equal(pool({ tcp: { idleTimeout: "5m" } })?.idleTimeoutMs, 300_000);
    assert.equal(pool({ tcp: { idleTimeout: "5m" }, http: { idleTimeout: "1m" } })?.idleTimeoutMs, 60_000);
    assert.equal(pool({ tcp: { tcpKeepalive: {} } })?.tcpKeepaliveMs, 7_200_000);
    assert.equal(pool({ tcp: { tcpKeepalive: { time: "1m", interval: "75s", probes: 9 } } })?.tcpKeepaliveMs, 60_000);
  });

  test("reads detectors in either spelling, and the older one as that of gateway errors", () => {
    const outlier = (outlierDetection: JsonObject) =>
      meaning(DESTINATION_RULE, rule({ outlierDetection })).trafficPolicy?.outlierDetection;
    assert.equal(outlier({ consecutive_5xx_errors: 7 })?.consecutive5xxErrors, 7);
    assert.equal(outlier({ consecutiveErrors: 3 })?.consecutiveGatewayErrors, 3);
    assert.deepEqual(
      [outlier({})?.consecutive5xxErrors, outlier({ consecutive5xxErrors: 0 })?.consecutive5xxErrors],
      [undefined, 0],
    );
  });

  refusals(DESTINATION_RULE, [
    ["without host", {}, [["spec.host", /required/]]],
    [
      "with subsets that no route could name",
      { host: "a", subsets: [{ name: "v1" }, { name: "v1" }, {}, { name: "v_2" }] },
      [
        ["spec.subsets[2].name", /required/],
        ["spec.subsets[3].name", /not a DNS label/],
      ],
    ],
    [
      "with the outlier detection of Istio 0.8",
      { host: "a", trafficPolicy: { outlierDetection: { http: { consecutiveErrors: 1 } } } },
      [["spec.trafficPolicy.outlierDetection.http", /http is not allowed here/]],
    ],
    [
      "with subsets of one name",
      { host: "a", subsets: [{ name: "v1" }, { name: "v1" }] },
      [["spec.subsets[1].name", /subsets\[0\]/]],
    ],
    [
      "with labels that none can have",
      { host: "a", subsets: [{ name: "v1", labels: { "-a": "b", c: "*", "x_y/z": "d" } }] },
      [
        ["spec.subsets[0].labels.-a", /not a label name/],
        ["spec.subsets[0].labels.c", /not a label value/],
        ['spec.subsets[0].labels["x_y/z"]', /not a label name/],
      ],
    ],
    [
      "with an empty policy",
      rule({}, { subsets: [{ name: "a", trafficPolicy: {} }] }),
      [
        ["spec.trafficPolicy", /says nothing/],
        ["spec.subsets[0].trafficPolicy", /says nothing/],
      ],
    ],
    [
      "with policies of ports that say nothing or come twice",
      rule({ portLevelSettings: [{ port: { number: 80 } }, { tls: {} }, { port: {}, tls: {} }] }),
      [
        ["spec.trafficPolicy.portLevelSettings[0]", /says nothing/],
        ["spec.trafficPolicy.portLevelSettings[1].port", /required/],
        ["spec.trafficPolicy.portLevelSettings[2].port.number", /required/],
      ],
    ],
    [
      "with two policies of a port",
      rule({
        portLevelSettings: [
          { port: { number: 80 }, tls: {} },
          { port: { number: 80 }, tls: {} },
        ],
      }),
      [["spec.trafficPolicy.portLevelSettings[1].port.number", /given twice/]],
    ],
    [
      "with two ways to choose",
      balancer({ simple: "RANDOM", consistentHash: { useSourceIp: true } }),
      [["spec.trafficPolicy.loadBalancer.consistentHash", /only one of/]],
    ],
    [
      "with nothing to hash",
      balancer({ consistentHash: { useSourceIp: false } }),
      [["spec.trafficPolicy.loadBalancer.consistentHash", /nothing to hash/]],
    ],
    [
      "with a hash of two things, by two algorithms",
      balancer({
        consistentHash: { httpHeaderName: "a", useSourceIp: true, ringHash: {}, maglev: { tableSize: 251 } },
      }),
      [
        ["spec.trafficPolicy.loadBalancer.consistentHash.useSourceIp", /only one of/],
        ["spec.trafficPolicy.loadBalancer.consistentHash.maglev", /only one of/],
      ],
    ],
    [
      "with a table whose size is no prime",
      balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 65_536 } } }),
      [["spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize", /not a prime/]],
    ],
    [
      "with a ring of two sizes",
      balancer({ consistentHash: { useSourceIp: true, minimumRingSize: 8, ringHash: { minimumRingSize: 9 } } }),
      [["spec.trafficPolicy.loadBalancer.consistentHash.minimumRingSize", /combined with ringHash/]],
    ],
    [
      "with shares that do not add up, overlap, or are no localities",
      balancer({
        localityLbSetting: {
          distribute: [
            { from: "eu", to: { "eu/a": 50 } },
            { from: "us/*/a", to: { "a//b": 100 } },
          ],
        },
      }),
      [
        ["spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to", /add up to 50/],
        ["spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[1].from", /not a locality/],
        ['spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[1].to["a//b"]', /not a locality/],
      ],
    ],
    [
      "with localities that overlap",
      balancer({
        localityLbSetting: {
          distribute: [
            { from: "eu/a", to: { us: 100 } },
            { from: "eu/*", to: { us: 100 } },
          ],
        },
      }),
      [["spec.trafficPolicy.loadBalancer.localityLbSetting.distribute", /overlaps/]],
    ],
    [
      "with failover by region",
      balancer({ localityLbSetting: { failover: [{ from: "eu", to: "eu" }] } }),
      [
        ["spec.trafficPolicy.loadBalancer.localityLbSetting.failover", /^not supported yet/],
        ["spec.trafficPolicy.loadBalancer.localityLbSetting.failover[0].to", /same region/],
      ],
    ],
    [
      "with a slow start that never ends",
      balancer({ warmup: { minimumPercent: 101, aggression: 0 } }),
      [
        ["spec.trafficPolicy.loadBalancer.warmup.duration", /required/],
        ["spec.trafficPolicy.loadBalancer.warmup.minimumPercent", /between 0 and 100/],
        ["spec.trafficPolicy.loadBalancer.warmup.aggression", /more than 0/],
      ],
    ],
    ["with limits of nothing", rule({ connectionPool: {} }), [["spec.trafficPolicy.connectionPool", /limits nothing/]]],
    [
      "with limits that are none",
      rule({ connectionPool: { tcp: { maxConnections: -1, connectTimeout: "0s" }, http: { idleTimeout: "0s" } } }),
      [
        ["spec.trafficPolicy.connectionPool.tcp.maxConnections", /0 or more/],
        ["spec.trafficPolicy.connectionPool.tcp.connectTimeout", /shorter than 1 ms/],
        ["spec.trafficPolicy.connectionPool.http.idleTimeout", /shorter than 1 ms/],
      ],
    ],
    [
      "with what HTTP/2 needs",
      rule({
        connectionPool: {
          http: { h2UpgradePolicy: "UPGRADE", useClientProtocol: true, maxConcurrentStreams: 5, http2KeepAlive: {} },
        },
      }),
      [
        ["spec.trafficPolicy.connectionPool.http.h2UpgradePolicy", /^not supported yet/],
        ["spec.trafficPolicy.connectionPool.http.useClientProtocol", /^not supported yet/],
        ["spec.trafficPolicy.connectionPool.http.useClientProtocol", /combined with h2UpgradePolicy/],
        ["spec.trafficPolicy.connectionPool.http.maxConcurrentStreams", /^not supported yet/],
        ["spec.trafficPolicy.connectionPool.http.http2KeepAlive", /^not supported yet/],
        ["spec.trafficPolicy.connectionPool.http.http2KeepAlive.interval", /required/],
        ["spec.trafficPolicy.connectionPool.http.http2KeepAlive.timeout", /required/],
      ],
    ],
    [
      "with failures counted apart by half",
      rule({ outlierDetection: { consecutiveLocalOriginFailures: 3 } }),
      [
        ["spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures", /^not supported yet/],
        ["spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures", /no effect without/],
      ],
    ],
    [
      "with certificates of clients",
      rule({ tls: { mode: "MUTUAL", clientCertificate: "/c" } }),
      [
        ["spec.trafficPolicy.tls.mode", /^not supported yet/],
        ["spec.trafficPolicy.tls.clientCertificate", /^not supported yet/],
        ["spec.trafficPolicy.tls.privateKey", /required/],
      ],
    ],
    [
      "with verification that is skipped and asked for",
      rule({ tls: { mode: "SIMPLE", insecureSkipVerify: true, caCertificates: "/c", subjectAltNames: ["a"] } }),
      [
        ["spec.trafficPolicy.tls.caCertificates", /no effect/],
        ["spec.trafficPolicy.tls.subjectAltNames", /no effect/],
      ],
    ],
    [
      "with certificates from a secret and from files",
      rule({ tls: { mode: "SIMPLE", credentialName: "a", caCertificates: "/c" } }),
      [
        ["spec.trafficPolicy.tls.credentialName", /^not supported yet/],
        ["spec.trafficPolicy.tls.caCertificates", /combined with credentialName/],
      ],
    ],
    [
      "with a tunnel",
      rule({ tunnel: { targetHost: "a b", targetPort: 0 }, proxyProtocol: {} }),
      [
        ["spec.trafficPolicy.tunnel", /^not supported yet/],
        ["spec.trafficPolicy.tunnel.targetHost", /not a host name/],
        ["spec.trafficPolicy.tunnel.targetPort", /between 1/],
        ["spec.trafficPolicy.proxyProtocol", /^not supported yet/],
        ["spec.trafficPolicy.proxyProtocol", /combined with tunnel/],
      ],
    ],
    [
      "for certain workloads and other namespaces",
      rule({ tls: {} }, { workloadSelector: { matchLabels: { a: "b" } }, exportTo: ["*"] }),
      [["spec.exportTo", /beyond the own namespace/]],
    ],
  ]);

  warnings(DESTINATION_RULE, [
    ["that it does nothing", { host: "a" }, [["spec", /no effect/]]],
    [
      "that its selector selects all",
      rule({ tls: {} }, { workloadSelector: {} }),
      [["spec.workloadSelector", /every workload/]],
    ],
    [
      "that servers are not verified",
      rule({ tls: { mode: "SIMPLE", insecureSkipVerify: true } }),
      [["spec.trafficPolicy.tls.insecureSkipVerify", /any certificate is accepted/]],
    ],
    [
      "about names without TLS",
      rule({ tls: { mode: "DISABLE", sni: "a" } }),
      [["spec.trafficPolicy.tls.sni", /no effect with mode DISABLE/]],
    ],
    [
      "about a slow start that the choice does not know",
      balancer({ simple: "RANDOM", warmup: { duration: "1s" } }),
      [["spec.trafficPolicy.loadBalancer.warmup", /no effect/]],
    ],
    [
      "about what is deprecated",
      rule({ loadBalancer: { simple: "LEAST_CONN" }, outlierDetection: { consecutiveErrors: 1 } }),
      [
        ["spec.trafficPolicy.loadBalancer.simple", /deprecated/],
        ["spec.trafficPolicy.outlierDetection.consecutiveErrors", /deprecated/],
      ],
    ],
  ]);
});
