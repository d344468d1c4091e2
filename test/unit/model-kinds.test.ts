import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InvalidArgumentError } from "../../shared/base/index.ts";
import {
  CONFIG_API_VERSIONS,
  createKindRegistry,
  DESTINATION_POLICY,
  formatMixerRef,
  INGRESS_RULE,
  type JsonObject,
  type KindDefinition,
  MIXER_RULE,
  QUOTA_SPEC,
  QUOTA_SPEC_BINDING,
  specOf,
  type TypeDoc,
} from "../../shared/model/index.ts";

const CONTEXT = { namespace: "prod", name: "x" };
const RATINGS = { destination: { name: "ratings" } };

type Refused = readonly [string, KindDefinition, JsonObject, readonly (readonly [string, RegExp])[]];

const REFUSED: readonly Refused[] = [
  ["a policy without destination", DESTINATION_POLICY, {}, [["spec.destination", /required/]]],
  [
    "an empty loadBalancing",
    DESTINATION_POLICY,
    { ...RATINGS, loadBalancing: {} },
    [["spec.loadBalancing", /no policy/]],
  ],
  [
    "an unknown policy",
    DESTINATION_POLICY,
    { ...RATINGS, loadBalancing: { name: "RANDON" } },
    [["spec.loadBalancing.name", /one of/]],
  ],
  [
    "a policy number out of range",
    DESTINATION_POLICY,
    { ...RATINGS, loadBalancing: { name: 3 } },
    [["spec.loadBalancing.name", /one of/]],
  ],
  [
    "custom load balancing",
    DESTINATION_POLICY,
    { ...RATINGS, loadBalancing: { custom: {} } },
    [["spec.loadBalancing.custom", /^not supported yet: /]],
  ],
  [
    "a custom policy",
    DESTINATION_POLICY,
    { ...RATINGS, custom: { "@type": "x" } },
    [["spec.custom", /^not supported yet: spec\.custom$/]],
  ],
  [
    "a circuit breaker of another proxy",
    DESTINATION_POLICY,
    { ...RATINGS, circuitBreaker: { custom: { "@type": "x" } } },
    [["spec.circuitBreaker.custom", /^not supported yet: spec\.circuitBreaker\.custom$/]],
  ],
  [
    "a bad circuit breaker",
    DESTINATION_POLICY,
    {
      ...RATINGS,
      circuitBreaker: {
        simpleCb: {
          maxConnections: -1,
          httpMaxRequests: -1,
          httpMaxEjectionPercent: 101,
          sleepWindow: "0s",
          httpDetectionInterval: 5,
        },
      },
    },
    [
      ["spec.circuitBreaker.simpleCb.maxConnections", /0 or more/],
      ["spec.circuitBreaker.simpleCb.httpMaxRequests", /0 or more/],
      ["spec.circuitBreaker.simpleCb.httpMaxEjectionPercent", /between 0 and 100/],
      ["spec.circuitBreaker.simpleCb.sleepWindow", /shorter/],
      ["spec.circuitBreaker.simpleCb.httpDetectionInterval", /duration/],
    ],
  ],
  ["an ingress rule without destination", INGRESS_RULE, {}, [["spec.destination", /required/]]],
  [
    "an ingress rule with labels",
    INGRESS_RULE,
    { destination: { name: "a", labels: { v: "1" } } },
    [["spec.destination.labels", /not allowed/]],
  ],
  ["a gateway port that is none", INGRESS_RULE, { ...RATINGS, port: 70_000 }, [["spec.port", /65535/]]],
  [
    "a certificate",
    INGRESS_RULE,
    { ...RATINGS, tlsSecret: "s.default" },
    [["spec.tlsSecret", /^not supported yet: spec\.tlsSecret$/]],
  ],
  [
    "tcp conditions at the gateway",
    INGRESS_RULE,
    { ...RATINGS, match: { tcp: {} } },
    [["spec.match.tcp", /^not supported yet: spec\.match\.tcp$/]],
  ],
  [
    "two destination ports",
    INGRESS_RULE,
    { ...RATINGS, destinationPort: 80, destinationPortName: "http" },
    [["spec.destinationPortName", /only one of/]],
  ],
  [
    "a destination port of 0",
    INGRESS_RULE,
    { ...RATINGS, destinationPort: 0 },
    [["spec.destinationPort", /between 1 and 65535/]],
  ],
  ["a QuotaSpec without rules", QUOTA_SPEC, {}, [["spec.rules", /required/]]],
  ["a QuotaSpec with no rule", QUOTA_SPEC, { rules: [] }, [["spec.rules", /empty/]]],
  ["a rule without quotas", QUOTA_SPEC, { rules: [{}] }, [["spec.rules[0].quotas", /required/]]],
  ["a rule with no quota", QUOTA_SPEC, { rules: [{ quotas: [] }] }, [["spec.rules[0].quotas", /empty/]]],
  [
    "bad quotas",
    QUOTA_SPEC,
    { rules: [{ quotas: [{ quota: "", charge: 0 }, { quota: "a" }, { charge: -1 }] }] },
    [
      ["spec.rules[0].quotas[0].quota", /needs a name/],
      ["spec.rules[0].quotas[0].charge", /1 or more/],
      ["spec.rules[0].quotas[1].charge", /required/],
      ["spec.rules[0].quotas[2].quota", /required/],
      ["spec.rules[0].quotas[2].charge", /1 or more/],
    ],
  ],
  [
    "bad clauses",
    QUOTA_SPEC,
    {
      rules: [
        {
          match: [
            {
              clause: {
                "request.pat": { exact: "/" },
                "request.path": { exact: "" },
                "request.headers": { exact: "a" },
                "response.code": { exact: "200" },
              },
            },
            { clause: { "request.host": { regex: "(" } } },
          ],
          quotas: [{ quota: "q", charge: 1 }],
        },
      ],
    },
    [
      ['spec.rules[0].match[0].clause["request.pat"]', /unknown attribute/],
      ['spec.rules[0].match[0].clause["request.path"]', /nothing/],
      ['spec.rules[0].match[0].clause["request.headers"]', /map/],
      ['spec.rules[0].match[0].clause["response.code"]', /INT64/],
      ['spec.rules[0].match[1].clause["request.host"].regex', /missing closing \)/],
    ],
  ],
  [
    "an empty binding",
    QUOTA_SPEC_BINDING,
    {},
    [
      ["spec.services", /required/],
      ["spec.quotaSpecs", /required/],
    ],
  ],
  [
    "a binding of nothing",
    QUOTA_SPEC_BINDING,
    { services: [], quotaSpecs: [] },
    [
      ["spec.services", /empty/],
      ["spec.quotaSpecs", /empty/],
    ],
  ],
  [
    "bad references in a binding",
    QUOTA_SPEC_BINDING,
    { services: [{}], quotaSpecs: [{ namespace: "A" }, { name: "" }] },
    [
      ["spec.services[0]", /names no service/],
      ["spec.quotaSpecs[0].name", /required/],
      ["spec.quotaSpecs[0].namespace", /DNS label/],
      ["spec.quotaSpecs[1].name", /empty/],
    ],
  ],
  [
    "bad actions",
    MIXER_RULE,
    { match: 1, actions: [{ handler: "a", instances: [] }, { instances: ["x.metric.ns.more"] }] },
    [
      ["spec.match", /must be text/],
      ["spec.actions[0].handler", /does not name a handler/],
      ["spec.actions[0].instances", /empty/],
      ["spec.actions[1].handler", /required/],
      ["spec.actions[1].instances[0]", /does not name an instance/],
    ],
  ],
  ["match beside selector", MIXER_RULE, { match: "true", selector: "true" }, [["spec.selector", /only one of/]]],
];

function parsedBy<T>(definition: KindDefinition<T>, spec: JsonObject): T {
  const { parsed, errors } = definition.parseSpec(spec, "spec", CONTEXT);
  assert.deepEqual(errors, []);
  assert.ok(parsed !== undefined);
  return parsed;
}

describe("a spec is refused for", () => {
  for (const [what, definition, spec, expected] of REFUSED) {
    test(what, () => {
      const { errors } = definition.parseSpec(spec, "spec", CONTEXT);
      assert.deepEqual(
        errors.map(({ path }) => path).sort(),
        expected.map(([path]) => path).sort(),
        JSON.stringify(errors),
      );
      for (const [path, reason] of expected) {
        assert.ok(
          errors.some((error) => error.path === path && reason.test(error.reason)),
          `${path} ${reason}: ${JSON.stringify(errors)}`,
        );
      }
    });
  }
});

describe("what specs mean", () => {
  test("a DestinationPolicy names its policy by name or number", () => {
    for (const name of ["LEAST_CONN", 1]) {
      const spec = parsedBy(DESTINATION_POLICY, {
        destination: { name: "r", labels: { version: "v1" } },
        loadBalancing: { name },
      });
      assert.equal(spec.loadBalancing, "LEAST_CONN");
      assert.deepEqual(spec.destination.labels, { version: "v1" });
      assert.deepEqual(spec.destination.service, { namespace: "prod", service: "r" });
    }
  });

  test("a circuit breaker without detection interval or sleep window is understood", () => {
    const { parsed, errors } = DESTINATION_POLICY.parseSpec(
      { ...RATINGS, circuitBreaker: { simpleCb: { maxConnections: 5, http_consecutive_errors: 3 } } },
      "spec",
      CONTEXT,
    );
    assert.deepEqual(errors, []);
    assert.equal(parsed?.circuitBreaker?.maxConnections, 5);
    assert.equal(parsed.circuitBreaker.httpConsecutiveErrors, 3);
    assert.equal(parsed.circuitBreaker.sleepWindowMs, undefined);
    assert.equal(parsed.circuitBreaker.httpDetectionIntervalMs, undefined);
  });

  test("an IngressRule may name the gateway's port and its destination's", () => {
    for (const port of [0, 80, "8080"]) {
      const spec = parsedBy(INGRESS_RULE, {
        ...RATINGS,
        port,
        tlsSecret: "",
        destinationPort: 9080,
        match: { request: { headers: { uri: { exact: "/productpage" } } } },
      });
      assert.deepEqual([spec.port, spec.destinationPort], [Number(port), 9080]);
      assert.deepEqual(spec.match?.headers, [{ name: "uri", match: { exact: "/productpage" } }]);
    }
    assert.equal(parsedBy(INGRESS_RULE, { ...RATINGS, destinationPortName: "http" }).destinationPortName, "http");
  });

  test("a QuotaSpec charges by clauses on attributes and map keys", () => {
    const spec = parsedBy(QUOTA_SPEC, {
      rules: [
        {
          match: [{ clause: { "request.path": { prefix: "/a" }, "request.headers[x-user]": { exact: "j" } } }, {}],
          quotas: [{ quota: "RequestCount", charge: "2" }],
        },
      ],
    });
    assert.deepEqual(spec.rules, [
      {
        matches: [
          [
            { attribute: "request.path", match: { prefix: "/a" } },
            { attribute: "request.headers[x-user]", match: { exact: "j" } },
          ],
          [],
        ],
        quotas: [{ quota: "RequestCount", charge: 2 }],
      },
    ]);
  });

  test("a QuotaSpecBinding's references mean its own namespace unless they say otherwise", () => {
    const spec = parsedBy(QUOTA_SPEC_BINDING, {
      services: [{ name: "ratings" }, { name: "ratings", namespace: "other" }],
      quotaSpecs: [{ name: "a" }, { name: "b", namespace: "istio-system" }],
    });
    assert.deepEqual(
      spec.services.map(({ host }) => host),
      ["ratings.prod.svc.cluster.local", "ratings.other.svc.cluster.local"],
    );
    assert.deepEqual(spec.quotaSpecs, [
      { name: "a", namespace: "prod" },
      { name: "b", namespace: "istio-system" },
    ]);
  });

  test("a rule's references are completed with its namespace", () => {
    const spec = parsedBy(MIXER_RULE, {
      selector: 'source.labels["app"] == "a"',
      actions: [{ handler: "h.denier", instances: ["i.checknothing.istio-system"] }],
    });
    assert.equal(spec.match, 'source.labels["app"] == "a"');
    const [action] = spec.actions;
    assert.ok(action?.instances[0]);
    assert.equal(formatMixerRef(action.handler), "h.denier.prod");
    assert.equal(formatMixerRef(action.instances[0]), "i.checknothing.istio-system");
    assert.deepEqual(parsedBy(MIXER_RULE, {}), { match: "", actions: [] });
  });

  test("specOf reads a stored resource and throws for one that is not valid", () => {
    const resource = {
      apiVersion: "config.istio.io/v1alpha2",
      kind: "DestinationPolicy",
      metadata: { name: "a", namespace: "b" },
      spec: RATINGS,
    };
    assert.equal(specOf(DESTINATION_POLICY, resource).destination.host, "ratings.b.svc.cluster.local");
    assert.throws(() => specOf(DESTINATION_POLICY, { ...resource, spec: {} }), { code: "ERR_MESH_CONFIG" });
  });
});

describe("the kind registry", () => {
  const registry = createKindRegistry();

  test("knows kinds by kind, singular and plural in any letter case", () => {
    const spellings: readonly (readonly [string, string])[] = [
      ["routerule", "RouteRule"],
      ["routerules", "RouteRule"],
      ["RouteRule", "RouteRule"],
      ["DestinationPolicies", "DestinationPolicy"],
      ["ingressrules", "IngressRule"],
      ["quotaspecbinding", "QuotaSpecBinding"],
      ["rule", "rule"],
      ["metrics", "metric"],
      ["memquota", "memquota"],
      ["vs", "VirtualService"],
      ["SE", "ServiceEntry"],
    ];
    for (const [spelling, kind] of spellings) assert.equal(registry.resolve(spelling).kind, kind);
    assert.equal(registry.get("routerule"), undefined);
    assert.equal(registry.get("RouteRule")?.plural, "routerules");
  });

  test("names the right kind for the older spelling and for a slip", () => {
    for (const spelling of ["route-rule", "routerul", "route_rules"]) {
      assert.throws(
        () => registry.resolve(spelling),
        (error) => error instanceof InvalidArgumentError && /did you mean routerule\?/.test(error.message),
      );
    }
    assert.throws(() => registry.resolve("HTTPRouteTable"), /known kinds: VirtualService, /);
  });

  test("lets another layer put its definition in the place of an open one", () => {
    const denier: KindDefinition = {
      kind: "denier",
      plural: "deniers",
      apiVersions: CONFIG_API_VERSIONS,
      namespaceDefault: "default",
      class: "mixer-handler",
      doc: "x",
      parseSpec: (spec) => ({ spec, errors: [{ path: "spec", value: null, reason: "no", remedy: "none" }] }),
    };
    const extended = createKindRegistry([denier]);
    assert.equal(extended.get("denier"), denier);
    assert.equal(extended.definitions.length, registry.definitions.length);
  });

  test("can say of every field of every kind what it is for", () => {
    const walk = (type: TypeDoc, path: string): void => {
      for (const field of type.fields ?? []) {
        assert.match(field.doc, /\.$/, `${path}.${field.name}`);
        walk(field.type, `${path}.${field.name}`);
      }
      if (type.of !== undefined) walk(type.of, `${path}[]`);
    };
    for (const definition of registry.definitions) {
      assert.match(definition.doc, /\.$/);
      const type = definition.describe?.();
      if (type !== undefined) walk(type, definition.kind);
    }
  });
});
