import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EGRESS_RULE, GATEWAY, type JsonObject, MESH_CONFIG, PROXY_CONFIG, SIDECAR } from "../../shared/model/index.ts";
import { meaning, refusals, warnings } from "../kinds/judged.ts";

const HTTP = { number: 80, name: "http", protocol: "HTTP" };
const server = (more: JsonObject = {}): JsonObject => ({ port: HTTP, hosts: ["*"], ...more });

describe("a Gateway", () => {
  test("serves hosts for VirtualServices of any, its own or a named namespace", () => {
    const { servers, selector } = meaning(GATEWAY, {
      servers: [
        server({
          hosts: ["API.example.com", "./*.example.com", "web/*", "*/a.example.com"],
          tls: { httpsRedirect: true },
        }),
      ],
    });
    assert.deepEqual(selector, {});
    assert.deepEqual(servers, [
      {
        name: "",
        port: 80,
        portName: "http",
        protocol: "http",
        hosts: [
          { namespace: "*", host: "api.example.com" },
          { namespace: "prod", host: "*.example.com" },
          { namespace: "web", host: "*" },
          { namespace: "*", host: "a.example.com" },
        ],
        httpsRedirect: true,
      },
    ]);
  });

  refusals(GATEWAY, [
    ["without servers", { selector: {} }, [["spec.servers", /required/]]],
    ["with no server", { servers: [] }, [["spec.servers", /is empty/]]],
    [
      "with servers that lack port or hosts",
      { servers: [{ hosts: [] }, { port: {}, hosts: ["*"] }] },
      [
        ["spec.servers[0].port", /required/],
        ["spec.servers[0].hosts", /is empty/],
        ["spec.servers[1].port.number", /required/],
        ["spec.servers[1].port.protocol", /required/],
        ["spec.servers[1].port.name", /required/],
      ],
    ],
    ["with ports of one name", { servers: [server(), server()] }, [["spec.servers[1].port.name", /servers\[0\]/]]],
    [
      "with hosts that are none",
      { servers: [server({ hosts: ["short", "a_b/x.y", "a.*.b", "/x.y"] })] },
      [
        ["spec.servers[0].hosts[0]", /short name/],
        ["spec.servers[0].hosts[1]", /no namespace/],
        ["spec.servers[0].hosts[2]", /not a host name/],
        ["spec.servers[0].hosts[3]", /no namespace/],
      ],
    ],
    [
      "with an unknown protocol",
      { servers: [server({ port: { ...HTTP, protocol: "SPDY" } })] },
      [["spec.servers[0].port.protocol", /not a protocol/]],
    ],
    [
      "with TLS",
      {
        servers: [
          server({
            port: { number: 443, name: "https", protocol: "HTTPS" },
            tls: { mode: "SIMPLE", credentialName: "c" },
          }),
        ],
      },
      [
        ["spec.servers[0].port.protocol", /^not supported yet/],
        ["spec.servers[0].tls.mode", /^not supported yet/],
        ["spec.servers[0].tls.credentialName", /^not supported yet/],
      ],
    ],
    [
      "with TLS that is not said how",
      { servers: [server({ port: { number: 443, name: "https", protocol: "HTTPS" } })] },
      [
        ["spec.servers[0].port.protocol", /^not supported yet/],
        ["spec.servers[0].tls", /required/],
      ],
    ],
    [
      "with TLS on a plain port, without its files",
      { servers: [server({ tls: { mode: "MUTUAL" } })] },
      [
        ["spec.servers[0].tls.mode", /^not supported yet/],
        ["spec.servers[0].tls.caCertificates", /required/],
        ["spec.servers[0].tls.serverCertificate", /required/],
        ["spec.servers[0].tls.privateKey", /required/],
      ],
    ],
    [
      "with TLS of two sources, and one that needs none",
      {
        servers: [
          server({
            tls: {
              mode: "SIMPLE",
              credentialName: "a",
              tlsCertificates: [{ serverCertificate: "a", privateKey: "b" }],
            },
          }),
          server({ port: { ...HTTP, name: "b" }, tls: { mode: "ISTIO_MUTUAL", serverCertificate: "a" } }),
        ],
      },
      [
        ["spec.servers[0].tls.mode", /^not supported yet/],
        ["spec.servers[0].tls.credentialName", /^not supported yet/],
        ["spec.servers[0].tls.tlsCertificates", /^not supported yet/],
        ["spec.servers[0].tls.tlsCertificates", /second source/],
        ["spec.servers[1].tls.mode", /^not supported yet/],
        ["spec.servers[1].tls.serverCertificate", /^not supported yet/],
        ["spec.servers[1].tls.serverCertificate", /combined with mode ISTIO_MUTUAL/],
      ],
    ],
  ]);
});

describe("a Sidecar", () => {
  test("names what workloads see, or that they see nothing", () => {
    assert.deepEqual(
      meaning(SIDECAR, { egress: [{ hosts: ["./*", "*/Api.example.com", "web/*.internal.example"] }] }).egressHosts,
      [
        { namespace: "prod", host: "*" },
        { namespace: "*", host: "api.example.com" },
        { namespace: "web", host: "*.internal.example" },
      ],
    );
    assert.deepEqual(meaning(SIDECAR, { egress: [{ hosts: ["~/*"] }] }).egressHosts, []);
    assert.equal(meaning(SIDECAR, { outboundTrafficPolicy: {} }).egressHosts, undefined);
    assert.equal(meaning(SIDECAR, { outboundTrafficPolicy: {} }).outboundTrafficPolicy, "REGISTRY_ONLY");
    assert.equal(meaning(SIDECAR, { outboundTrafficPolicy: { mode: 1 } }).outboundTrafficPolicy, "ALLOW_ANY");
  });

  refusals(SIDECAR, [
    ["that says nothing", {}, [["spec", /says nothing/]]],
    [
      "with hosts without namespace, or that are none",
      { egress: [{ hosts: ["a.b", "A/x.y", "./short", "~web/*"] }] },
      [
        ["spec.egress[0].hosts[0]", /no namespace/],
        ["spec.egress[0].hosts[1]", /is no namespace/],
        ["spec.egress[0].hosts[2]", /short name/],
        ["spec.egress[0].hosts[3]", /^not supported yet/],
      ],
    ],
    ["with nothing and something", { egress: [{ hosts: ["~/*", "./*"] }] }, [["spec.egress[0].hosts", /nothing/]]],
    [
      "with listeners of their own",
      { egress: [{ port: { number: 80 }, bind: "127.0.0.1", captureMode: "NONE", hosts: ["./*"] }], ingress: [{}] },
      [
        ["spec.egress[0].port", /^not supported yet/],
        ["spec.egress[0].bind", /^not supported yet/],
        ["spec.egress[0].captureMode", /^not supported yet/],
        ["spec.ingress", /^not supported yet/],
        ["spec.ingress[0].port", /required/],
      ],
    ],
    [
      "with two listeners for all ports",
      { egress: [{ hosts: ["./*"] }, { hosts: ["web/*"] }] },
      [["spec.egress[0]", /not the last/]],
    ],
    [
      "with a proxy for unknown hosts",
      { outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host: "a.b.c" } } },
      [["spec.outboundTrafficPolicy.egressProxy", /^not supported yet/]],
    ],
  ]);

  warnings(SIDECAR, [
    [
      "about hosts that others cover",
      { egress: [{ hosts: ["./*", "./a.b", "./*"] }] },
      [
        ["spec.egress[0].hosts[1]", /covered/],
        ["spec.egress[0].hosts[2]", /covered/],
      ],
    ],
  ]);
});

describe("an EgressRule", () => {
  test("makes a host known on its ports", () => {
    assert.deepEqual(
      meaning(EGRESS_RULE, { destination: { service: "*.example.com" }, ports: [{ port: 443, protocol: "HTTPS" }] }),
      {
        service: "*.example.com",
        ports: [{ port: 443, protocol: "https" }],
      },
    );
  });

  refusals(EGRESS_RULE, [
    [
      "for a service of the mesh",
      { destination: { name: "reviews", namespace: "a", labels: {} }, ports: [] },
      [
        ["spec.destination", /names no service/],
        ["spec.destination.name", /not allowed here/],
        ["spec.destination.namespace", /not allowed here/],
        ["spec.destination.labels", /not allowed here/],
        ["spec.ports", /is empty/],
      ],
    ],
    [
      "with ports that are none or come twice",
      {
        destination: { service: "a.example.com" },
        ports: [
          { port: 0, protocol: "http" },
          { port: 80, protocol: "spdy" },
        ],
      },
      [
        ["spec.ports[0].port", /between 1/],
        ["spec.ports[1].protocol", /not a protocol/],
      ],
    ],
    [
      "with ports that come twice",
      {
        destination: { service: "a.example.com" },
        ports: [
          { port: 80, protocol: "http" },
          { port: 80, protocol: "https" },
        ],
      },
      [["spec.ports[1].port", /given twice/]],
    ],
    [
      "for addresses, or through a proxy",
      {
        destination: { service: "10.0.0.0/8" },
        ports: [
          { port: 80, protocol: "http" },
          { port: 81, protocol: "tcp" },
        ],
        useEgressProxy: true,
      },
      [
        ["spec.ports[0].protocol", /only tcp and mongo/],
        ["spec.ports[1].protocol", /^not supported yet/],
        ["spec.useEgressProxy", /^not supported yet/],
      ],
    ],
  ]);
});

describe("a MeshConfig", () => {
  const read = (spec: JsonObject) =>
    MESH_CONFIG.parseSpec(spec, "spec", { namespace: "istio-system", name: "default" });

  test("says only what it says: the rest is as each proxy was started", () => {
    const { parsed, errors } = read({});
    assert.deepEqual(errors, []);
    assert.deepEqual(Object.values(parsed ?? {}), new Array(12).fill(undefined));
  });

  test("gives mesh-wide defaults", () => {
    const { parsed, errors } = read({
      outboundTrafficPolicy: {},
      accessLogFile: "",
      enableTracing: false,
      defaultConfig: { tracing: { sampling: 50 } },
      defaultVirtualServiceExportTo: ["."],
      localityLbSetting: { enabled: false },
      defaultHttpRetryPolicy: { attempts: 0 },
    });
    assert.deepEqual(errors, []);
    assert.equal(parsed?.outboundTrafficPolicy, "REGISTRY_ONLY");
    assert.deepEqual([parsed?.accessLogFile, parsed?.enableTracing, parsed?.tracingSampling], ["", false, 50]);
    assert.deepEqual([parsed?.defaultVirtualServiceExportTo, parsed?.localityFailover], [["."], false]);
    assert.equal(parsed?.defaultHttpRetryPolicy?.attempts, 0);
  });

  test("passes what Istio's own installation says and is so anyway", () => {
    const { errors } = read({
      rootNamespace: "istio-system",
      trustDomain: "cluster.local",
      enableAutoMtls: true,
      proxyListenPort: 15_001,
      protocolDetectionTimeout: "0s",
      configSources: [],
    });
    assert.deepEqual(errors, []);
  });

  const refused = (spec: JsonObject) => read(spec).errors.map(({ path, reason }) => `${path}: ${reason}`);

  test("refuses what has no effect, and formats that the log cannot write", () => {
    assert.deepEqual(refused({ trustDomain: "a b" }), [
      'spec.trustDomain: "a b" is not a domain',
      "spec.trustDomain: not supported yet: spec.trustDomain",
    ]);
    assert.deepEqual(refused({ mesh_mTLS: {}, defaultConfig: { concurrency: 2 } }), [
      "spec.meshMTLS: not supported yet: spec.meshMTLS",
      "spec.defaultConfig.concurrency: not supported yet: spec.defaultConfig.concurrency",
    ]);
    assert.match(refused({ accessLogFormat: "%NONSENSE%" })[0] ?? "", /^spec\.accessLogFormat: has %NONSENSE%/);
    assert.match(refused({ accessLogFormat: "plain", accessLogEncoding: "JSON" })[0] ?? "", /is no JSON/);
    assert.match(refused({ connectTimeout: "2h" })[0] ?? "", /longer than/);
  });

  refusals(MESH_CONFIG, [
    [
      "with a log that is not where it seems to be",
      { accessLogFile: "mesh.log" },
      [
        ["metadata.name", /one MeshConfig/],
        ["metadata.namespace", /not of a namespace/],
        ["spec.accessLogFile", /is no absolute path/],
      ],
    ],
    [
      "of any other name and namespace",
      {},
      [
        ["metadata.name", /one MeshConfig/],
        ["metadata.namespace", /not of a namespace/],
      ],
    ],
  ]);
});

describe("a ProxyConfig", () => {
  refusals(PROXY_CONFIG, [
    [
      "with what a running proxy cannot be given",
      { concurrency: 2, environmentVariables: { A: "b" }, image: { imageType: "x" } },
      [
        ["spec.concurrency", /^not supported yet/],
        ["spec.environmentVariables", /^not supported yet/],
        ["spec.image", /^not supported yet/],
      ],
    ],
  ]);
  warnings(PROXY_CONFIG, [["that it does nothing", {}, [["spec", /no effect/]]]]);
});
