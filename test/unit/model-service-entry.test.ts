import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type JsonObject, SERVICE_ENTRY, WORKLOAD_ENTRY, WORKLOAD_GROUP } from "../../shared/model/index.ts";
import { meaning, refusals, warnings } from "../kinds/judged.ts";

const HTTP = { number: 80, name: "http", protocol: "HTTP" };
const entry = (more: JsonObject): JsonObject => ({
  hosts: ["api.example.com"],
  ports: [HTTP],
  resolution: "DNS",
  ...more,
});

describe("a ServiceEntry", () => {
  test("is external, of resolution NONE and seen by all unless it says otherwise", () => {
    const { location, resolution, exportTo, endpoints, ports, workloadLabels } = meaning(SERVICE_ENTRY, {
      hosts: ["API.example.com", "*.example.org"],
      ports: [
        { number: 80, name: "http" },
        { number: 81, name: "other", targetPort: 8081 },
      ],
    });
    assert.deepEqual(
      [location, resolution, exportTo, endpoints, workloadLabels],
      ["MESH_EXTERNAL", "NONE", [], [], undefined],
    );
    assert.deepEqual(ports, [
      { number: 80, name: "http", protocol: "http", targetPort: 80 },
      { number: 81, name: "other", protocol: "http", targetPort: 8081 },
    ]);
  });

  test("has endpoints, or selects them", () => {
    const [endpoint] = meaning(
      SERVICE_ENTRY,
      entry({ endpoints: [{ address: "DB.example.com", ports: { http: 8080 } }] }),
    ).endpoints;
    assert.deepEqual([endpoint?.address, endpoint?.ports, endpoint?.weight], ["db.example.com", { http: 8080 }, 0]);
    const selected = meaning(
      SERVICE_ENTRY,
      entry({ resolution: "STATIC", workloadSelector: { labels: { app: "db" } } }),
    );
    assert.deepEqual(selected.workloadLabels, { app: "db" });
    assert.deepEqual(meaning(SERVICE_ENTRY, entry({ exportTo: ["~"] })).exportTo, ["~"]);
  });

  refusals(SERVICE_ENTRY, [
    ["without hosts", { ports: [HTTP] }, [["spec.hosts", /required/]]],
    ["for every host", entry({ hosts: ["*"], resolution: "NONE" }), [["spec.hosts[0]", /no host here/]]],
    [
      "with ports that come twice",
      entry({ ports: [HTTP, HTTP] }),
      [
        ["spec.ports[1].number", /given twice/],
        ["spec.ports[1].name", /given twice/],
      ],
    ],
    [
      "with protocols that do not pass through",
      entry({
        ports: [
          { number: 443, name: "https", protocol: "HTTPS" },
          { number: 5432, name: "db", protocol: "tcp" },
        ],
      }),
      [
        ["spec.ports[0].protocol", /^not supported yet/],
        ["spec.ports[1].protocol", /^not supported yet/],
      ],
    ],
    [
      "with addresses that are none",
      entry({ addresses: ["10.0.0.256", "10.0.0.0/33"], resolution: "NONE" }),
      [
        ["spec.addresses[0]", /no address or network/],
        ["spec.addresses[1]", /no address or network/],
      ],
    ],
    ["with networks to be looked up", entry({ addresses: ["10.0.0.0/8"] }), [["spec.addresses", /resolution DNS/]]],
    [
      "with endpoints of no use",
      entry({ resolution: "NONE", endpoints: [{ address: "1.2.3.4" }] }),
      [["spec.endpoints", /no use/]],
    ],
    [
      "with names where addresses are needed",
      entry({ resolution: "STATIC", endpoints: [{ address: "a.example.com" }, {}] }),
      [
        ["spec.endpoints[1].address", /required/],
        ["spec.endpoints[0].address", /not an address/],
      ],
    ],
    ["with wildcards to be looked up", entry({ hosts: ["*.example.com"] }), [["spec.hosts[0]", /cannot be looked up/]]],
    [
      "with several endpoints for one of DNS",
      entry({ resolution: "DNS_ROUND_ROBIN", endpoints: [{ address: "1.2.3.4" }, { address: "1.2.3.5" }] }),
      [["spec.endpoints", /only one/]],
    ],
    [
      "with dynamic names",
      entry({ resolution: "DYNAMIC_DNS", hosts: ["*.example.com"], addresses: ["1.2.3.4"] }),
      [
        ["spec.resolution", /^not supported yet/],
        ["spec.addresses", /no use/],
      ],
    ],
    [
      "with endpoints and a selector",
      entry({ resolution: "STATIC", endpoints: [{ address: "1.2.3.4" }], workloadSelector: { labels: { a: "b" } } }),
      [["spec.workloadSelector", /combined with endpoints/]],
    ],
    [
      "with ports of endpoints that it has not",
      entry({ endpoints: [{ address: "1.2.3.4", ports: { grpc: 1 } }] }),
      [["spec.endpoints[0].ports.grpc", /no port named grpc/]],
    ],
    [
      "with sockets",
      entry({ resolution: "STATIC", endpoints: [{ address: "unix:///run/a.sock" }, { address: "unix://a" }] }),
      [
        ["spec.endpoints[0].address", /^not supported yet/],
        ["spec.endpoints[1].address", /absolute path/],
      ],
    ],
    ["for nobody and somebody", entry({ exportTo: ["~", "web"] }), [["spec.exportTo", /beside others/]]],
  ]);

  warnings(SERVICE_ENTRY, [
    ["that there are no ports", { hosts: ["a.example.com"] }, [["spec.ports", /no ports/]]],
    ["that there are no endpoints", entry({ resolution: "STATIC" }), [["spec.endpoints", /no endpoints/]]],
    [
      "about a selector of no use",
      entry({ resolution: "NONE", workloadSelector: { labels: { a: "b" } } }),
      [["spec.workloadSelector", /no effect/]],
    ],
  ]);
});

describe("WorkloadEntry and WorkloadGroup", () => {
  test("read addresses and probes, with Kubernetes's defaults", () => {
    assert.equal(meaning(WORKLOAD_ENTRY, { address: "2001:db8::1" }).address, "2001:db8::1");
    assert.deepEqual(meaning(WORKLOAD_GROUP, { template: {}, probe: { httpGet: { port: 80 } } }).probe, {
      kind: "http",
      port: 80,
      path: "/",
      periodMs: 10_000,
      timeoutMs: 1000,
      successThreshold: 1,
      failureThreshold: 3,
    });
    assert.equal(
      meaning(WORKLOAD_GROUP, { template: {}, probe: { grpc: { port: 80, service: "db" } } }).probe?.path,
      "db",
    );
  });

  refusals(WORKLOAD_ENTRY, [
    ["without address", { labels: {} }, [["spec.address", /required/]]],
    [
      "with an address that is none",
      { address: "10.0.0.300" },
      [["spec.address", /neither an address nor a host name/]],
    ],
    [
      "with ports that are none",
      { address: "1.2.3.4", ports: { "": 80, http: 0 } },
      [
        ['spec.ports[""]', /not the name of a port/],
        ["spec.ports.http", /between 1/],
      ],
    ],
  ]);
  refusals(WORKLOAD_GROUP, [
    ["without template", {}, [["spec.template", /required/]]],
    [
      "with a probe that asks nothing, or by a command",
      { template: {}, probe: { exec: { command: [] } } },
      [
        ["spec.probe.exec", /^not supported yet/],
        ["spec.probe.exec.command", /is empty/],
      ],
    ],
    ["with a probe that asks nothing", { template: {}, probe: { periodSeconds: 5 } }, [["spec.probe", /asks nothing/]]],
    [
      "with a probe over TLS at another host",
      { template: {}, probe: { httpGet: { port: 80, scheme: "HTTPS", host: "a", httpHeaders: [{ name: "a b" }] } } },
      [
        ["spec.probe.httpGet.scheme", /^not supported yet/],
        ["spec.probe.httpGet.host", /^not supported yet/],
        ["spec.probe.httpGet.httpHeaders", /^not supported yet/],
        ["spec.probe.httpGet.httpHeaders[0].name", /not a header name/],
      ],
    ],
  ]);
});
