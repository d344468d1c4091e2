import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FieldError, type JsonObject, ROUTE_RULE, type RouteRuleSpec } from "../../shared/model/index.ts";

const CONTEXT = { namespace: "default", name: "r" };
const DESTINATION = { destination: { name: "ratings" } };

function errorsOf(spec: JsonObject): readonly FieldError[] {
  return ROUTE_RULE.parseSpec({ ...DESTINATION, ...spec }, "spec", CONTEXT).errors;
}

function parse(spec: JsonObject): RouteRuleSpec {
  const { parsed, errors } = ROUTE_RULE.parseSpec({ ...DESTINATION, ...spec }, "spec", CONTEXT);
  assert.deepEqual(errors, []);
  assert.ok(parsed);
  return parsed;
}

function headers(match: JsonObject): JsonObject {
  return { match: { request: { headers: match } } };
}

describe("a RouteRule is accepted", () => {
  const accepted: readonly (readonly [string, JsonObject])[] = [
    ["with a destination only", {}],
    ["with an empty match", { match: {} }],
    ["with an empty httpFault", { httpFault: {} }],
    ["with one entry of weight 100", { route: [{ weight: 100 }] }],
    ["with one entry of weight 0", { route: [{ weight: 0 }] }],
    ["with weights that add up to 100", { route: [{ weight: 1 }, { weight: 0 }, { weight: 99 }] }],
    ["with a weight written as text", { route: [{ weight: "100" }] }],
    ["with any 32-bit precedence", { precedence: -2147483648 }],
    ["with retries that name no perTryTimeout", { httpReqRetries: { simpleRetry: { attempts: 3 } } }],
    ["with websocketUpgrade false", { websocketUpgrade: false }],
    ["with null for what is absent", { match: null, route: null, precedence: null }],
    ["with a redirect to a host", { redirect: { authority: "newratings.default.svc.cluster.local:9080" } }],
    ["with an empty route beside a redirect", { redirect: { uri: "/new" }, route: [] }],
    ["with a redirect and a match", { redirect: { uri: "/new" }, ...headers({ uri: { exact: "/old" } }) }],
    ["with an empty header value", headers({ "x-user": { exact: "" } })],
    ["with bare text for exact", headers({ "x-user": "jason" })],
    ["with status 600", { httpFault: { abort: { httpStatus: 600 } } }],
    ["with an abort that names no status", { httpFault: { abort: { percent: 10 } } }],
    ["with a destination in another domain", { destination: { name: "ratings", domain: "service.consul" } }],
    ["with a destination by service", { destination: { service: "ratings.default.svc.cluster.local" } }],
    ["with a wildcard destination", { destination: { service: "*.googleapis.com" } }],
    ["with a CIDR destination", { destination: { service: "10.1.0.0/16" } }],
  ];
  for (const [what, spec] of accepted) test(what, () => assert.deepEqual(errorsOf(spec), []));
});

describe("a RouteRule is refused", () => {
  const refused: readonly (readonly [string, JsonObject, readonly (readonly [string, RegExp])[]])[] = [
    ["without destination", { destination: null }, [["spec.destination", /required/]]],
    ["with an empty destination", { destination: {} }, [["spec.destination", /names no service/]]],
    [
      "with service beside name, namespace and domain",
      { destination: { service: "a.b", name: "a", namespace: "b", domain: "c" } },
      [
        ["spec.destination.name", /combined with service/],
        ["spec.destination.namespace", /combined with service/],
        ["spec.destination.domain", /combined with service/],
      ],
    ],
    [
      "with labels on its destination",
      { destination: { name: "a", labels: { v: "1" } } },
      [["spec.destination.labels", /not allowed/]],
    ],
    ["with an upper case service", { destination: { name: "Ratings" } }, [["spec.destination.name", /DNS label/]]],
    [
      "with a service of 64 letters",
      { destination: { name: "a".repeat(64) } },
      [["spec.destination.name", /DNS label/]],
    ],
    [
      "with a bad namespace",
      { destination: { name: "a", namespace: "a.b" } },
      [["spec.destination.namespace", /DNS label/]],
    ],
    ["with a bad domain", { destination: { name: "a", domain: "x..y" } }, [["spec.destination.domain", /domain name/]]],
    ["with a bad CIDR", { destination: { service: "10.0.0.0/33" } }, [["spec.destination.service", /CIDR/]]],
    ["with a star inside a host", { destination: { service: "a.*.com" } }, [["spec.destination.service", /host name/]]],
    ["with a precedence beyond 32 bits", { precedence: 2147483648 }, [["spec.precedence", /32 bits/]]],
    ["with a fractional precedence", { precedence: 1.5 }, [["spec.precedence", /whole number/]]],
    [
      "with a bad label value",
      { route: [{ labels: { version: "v 1" } }] },
      [["spec.route[0].labels.version", /label value/]],
    ],
    ["with a bad label name", { route: [{ labels: { "a b": "v" } }] }, [['spec.route[0].labels["a b"]', /label name/]]],
    [
      "with a number as label",
      { route: [{ labels: { version: 1 } }] },
      [["spec.route[0].labels.version", /must be text, not the number 1/]],
    ],
    [
      "with a negative weight",
      { route: [{ weight: -1 }, { weight: 101 }] },
      [
        ["spec.route[0].weight", /between 0 and 100/],
        ["spec.route[1].weight", /between 0 and 100/],
      ],
    ],
    ["with weights that add up to 99", { route: [{ weight: 49 }, { weight: 50 }] }, [["spec.route", /add up to 99/]]],
    ["with two entries without weight", { route: [{}, {}] }, [["spec.route", /add up to 0/]]],
    ["with one entry of weight 50", { route: [{ weight: 50 }] }, [["spec.route", /add up to 50/]]],
    ["with a route that is no list", { route: { weight: 100 } }, [["spec.route", /must be a list/]]],
    [
      "with a header in upper case",
      headers({ Cookie: { exact: "a" } }),
      [["spec.match.request.headers.Cookie", /lower case/]],
    ],
    [
      "with a header without name",
      headers({ "": { exact: "a" } }),
      [['spec.match.request.headers[""]', /needs a name/]],
    ],
    [
      "with a header that says nothing",
      headers({ cookie: {} }),
      [["spec.match.request.headers.cookie", /nothing to compare/]],
    ],
    [
      "with two kinds of match",
      headers({ cookie: { exact: "a", prefix: "b" } }),
      [["spec.match.request.headers.cookie.prefix", /only one of/]],
    ],
    ["with an empty uri prefix", headers({ uri: { prefix: "" } }), [["spec.match.request.headers.uri", /empty uri/]]],
    ["with an empty uri regex", headers({ uri: { regex: "" } }), [["spec.match.request.headers.uri", /empty uri/]]],
    ["with source and no name", { match: { source: { namespace: "x" } } }, [["spec.match.source", /names no service/]]],
    [
      "with tcp conditions",
      { match: { tcp: { sourceSubnet: ["10.0.0.0/8"] } } },
      [["spec.match.tcp", /^not supported yet: spec\.match\.tcp$/]],
    ],
    [
      "with a bad subnet",
      { match: { tcp: { sourceSubnet: ["10.0.0.0/8", "1.2.3"], destinationSubnet: ["::1"] } } },
      [
        ["spec.match.tcp.sourceSubnet[1]", /IPv4/],
        ["spec.match.tcp.destinationSubnet[0]", /IPv4/],
        ["spec.match.tcp", /^not supported yet/],
      ],
    ],
    ["with udp conditions", { match: { udp: {} } }, [["spec.match.udp", /^not supported yet/]]],
    ["with an empty rewrite", { rewrite: {} }, [["spec.rewrite", /neither uri nor authority/]]],
    ["with an empty redirect", { redirect: { uri: "" } }, [["spec.redirect", /neither uri nor authority/]]],
    ["with a line break in a rewrite", { rewrite: { uri: "/a\r\nx: y" } }, [["spec.rewrite.uri", /not a path/]]],
    ["with a space in an authority", { rewrite: { authority: "a b" } }, [["spec.rewrite.authority", /not a host/]]],
    [
      "with redirect beside all that excludes it",
      { redirect: { uri: "/n" }, rewrite: { uri: "/o" }, httpFault: {}, websocketUpgrade: true, route: [{}] },
      [
        ["spec.route", /redirect/],
        ["spec.httpFault", /redirect/],
        ["spec.rewrite", /redirect/],
        ["spec.websocketUpgrade", /redirect/],
      ],
    ],
    [
      "with a timeout of nothing",
      { httpReqTimeout: { simpleTimeout: {} } },
      [["spec.httpReqTimeout.simpleTimeout.timeout", /required/]],
    ],
    [
      "with a timeout of 0s",
      { httpReqTimeout: { simpleTimeout: { timeout: "0s" } } },
      [["spec.httpReqTimeout.simpleTimeout.timeout", /shorter than 1 ms/]],
    ],
    [
      "with a negative timeout",
      { httpReqTimeout: { simpleTimeout: { timeout: "-1s" } } },
      [["spec.httpReqTimeout.simpleTimeout.timeout", /shorter/]],
    ],
    [
      "with parts of a millisecond",
      { httpReqTimeout: { simpleTimeout: { timeout: "1.0005s" } } },
      [["spec.httpReqTimeout.simpleTimeout.timeout", /whole milliseconds/]],
    ],
    [
      "with a timeout in ms",
      { httpReqTimeout: { simpleTimeout: { timeout: "100ms" } } },
      [["spec.httpReqTimeout.simpleTimeout.timeout", /duration/]],
    ],
    [
      "with a number as timeout",
      { httpReqTimeout: { simpleTimeout: { timeout: 7 } } },
      [["spec.httpReqTimeout.simpleTimeout.timeout", /the number 7/]],
    ],
    [
      "with both timeouts",
      { httpReqTimeout: { simpleTimeout: { timeout: "1s" }, custom: {} } },
      [
        ["spec.httpReqTimeout.custom", /only one of/],
        ["spec.httpReqTimeout.custom", /^not supported yet: spec\.httpReqTimeout\.custom$/],
      ],
    ],
    [
      "with negative attempts",
      { httpReqRetries: { simpleRetry: { attempts: -1 } } },
      [["spec.httpReqRetries.simpleRetry.attempts", /0 or more/]],
    ],
    [
      "with a short perTryTimeout",
      { httpReqRetries: { simpleRetry: { attempts: 1, perTryTimeout: "0.0001s" } } },
      [["spec.httpReqRetries.simpleRetry.perTryTimeout", /shorter/]],
    ],
    ["with custom retries", { httpReqRetries: { custom: {} } }, [["spec.httpReqRetries.custom", /^not supported yet/]]],
    [
      "with 101 percent",
      { httpFault: { delay: { percent: 101, fixedDelay: "1s" } } },
      [["spec.httpFault.delay.percent", /between 0 and 100/]],
    ],
    [
      "with a negative percent",
      { httpFault: { abort: { percent: -0.5, httpStatus: 500 } } },
      [["spec.httpFault.abort.percent", /between 0 and 100/]],
    ],
    [
      "with a delay of no length",
      { httpFault: { delay: { percent: 5 } } },
      [["spec.httpFault.delay.fixedDelay", /required/]],
    ],
    [
      "with two kinds of delay",
      { httpFault: { delay: { fixedDelay: "1s", exponentialDelay: "1s" } } },
      [["spec.httpFault.delay.exponentialDelay", /only one of/]],
    ],
    [
      "with status 601",
      { httpFault: { abort: { httpStatus: 601 } } },
      [["spec.httpFault.abort.httpStatus", /between 0 and 600/]],
    ],
    ...["OK", "0", "17", "nonsense", ""].map(
      (grpcStatus): readonly [string, JsonObject, readonly (readonly [string, RegExp])[]] => [
        `with gRPC status ${JSON.stringify(grpcStatus)}`,
        { httpFault: { abort: { grpcStatus } } },
        [["spec.httpFault.abort.grpcStatus", /must be a gRPC status other than OK/]],
      ],
    ),
    [
      "with an HTTP/2 error",
      { httpFault: { abort: { http2Error: "CANCEL" } } },
      [["spec.httpFault.abort.http2Error", /^not supported yet/]],
    ],
    [
      "with two kinds of abort",
      { httpFault: { abort: { http2Error: "CANCEL", httpStatus: 500 } } },
      [
        ["spec.httpFault.abort.httpStatus", /only one of/],
        ["spec.httpFault.abort.http2Error", /^not supported yet/],
      ],
    ],
    ["with a layer 4 fault", { l4Fault: {} }, [["spec.l4Fault", /^not supported yet/]]],
    ["with a mirror to nowhere", { mirror: {} }, [["spec.mirror", /names no service/]]],
    [
      "with all that a corsPolicy can get wrong",
      {
        corsPolicy: {
          allowMethods: ["GET", "get", 0],
          allowHeaders: ["X-A"],
          exposeHeaders: ["X-B"],
          maxAge: "1.5s",
          allowCredentials: "yes",
        },
      },
      [
        ["spec.corsPolicy.allowMethods[1]", /one of GET/],
        ["spec.corsPolicy.allowMethods[2]", /must be text/],
        ["spec.corsPolicy.allowHeaders[0]", /lower case/],
        ["spec.corsPolicy.exposeHeaders[0]", /lower case/],
        ["spec.corsPolicy.maxAge", /whole seconds/],
        ["spec.corsPolicy.allowCredentials", /true or false/],
      ],
    ],
    [
      "with bad headers to append",
      { appendHeaders: { "X-A": "1", "": "2", "x-empty": "", "x-break": "a\r\nb", "content-length": "5" } },
      [
        ["spec.appendHeaders.X-A", /lower case/],
        ['spec.appendHeaders[""]', /needs a name/],
        ["spec.appendHeaders.x-empty", /needs a value/],
        ["spec.appendHeaders.x-break", /no header may carry/],
        ["spec.appendHeaders.content-length", /belongs to the connection/],
      ],
    ],
    ["with an unknown field", { precedense: 1 }, [["spec.precedense", /unknown field/]]],
    [
      "with an unknown field deep inside",
      { route: [{ labels: {}, wieght: 5 }] },
      [["spec.route[0].wieght", /unknown field/]],
    ],
    ["with one field in both spellings", { httpFault: {}, http_fault: {} }, [["spec.http_fault", /given twice/]]],
  ];
  for (const [what, spec, expected] of refused) {
    test(what, () => {
      const errors = errorsOf(spec);
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
      for (const error of errors) assert.notEqual(error.remedy, "");
    });
  }

  test("with a remedy that names the field or value that was meant", () => {
    const remedies = (spec: JsonObject): readonly string[] => errorsOf(spec).map(({ remedy }) => remedy);
    assert.deepEqual(remedies({ precedense: 1 }), ["did you mean precedence?"]);
    assert.deepEqual(remedies({ httpReqTimeout: { simpleTimeout: { timeout: "100ms" } } }), ['write "0.100s"']);
    assert.deepEqual(remedies({ httpReqTimeout: { simpleTimeout: { timeout: 7 } } }), ['write "7s"']);
    assert.deepEqual(remedies({ route: [{ labels: { version: 1 } }] }), ['put it in quotes: "1"']);
  });

  test("with the place and reason of a fault in a regular expression", () => {
    const [error, ...more] = errorsOf(headers({ cookie: { regex: "^(*?;)?(user=jason)(;.*)?$" } }));
    assert.deepEqual(more, []);
    assert.equal(error?.path, "spec.match.request.headers.cookie.regex");
    assert.equal(error.position, 2);
    assert.equal(error.reason, "missing argument to repetition operator: *?");
    assert.equal(error.value, "^(*?;)?(user=jason)(;.*)?$");
    assert.match(error.remedy, /\.\*\?/);
  });
});

describe("what a RouteRule means", () => {
  test("defaults are filled in and durations are milliseconds", () => {
    const spec = parse({
      httpReqTimeout: { simpleTimeout: { timeout: "15.500s", overrideHeaderName: "X-Timeout" } },
      httpReqRetries: { simpleRetry: { attempts: 3, perTryTimeout: "2s" } },
      httpFault: { delay: { fixedDelay: "7s" }, abort: { percent: 0, httpStatus: 500 } },
      appendHeaders: { "x-a": "1" },
    });
    assert.equal(spec.precedence, 0);
    assert.deepEqual(spec.route, []);
    assert.deepEqual(spec.timeout, { timeoutMs: 15_500, overrideHeader: "x-timeout" });
    assert.deepEqual(spec.retry, { attempts: 3, perTryTimeoutMs: 2000, overrideHeader: "" });
    assert.deepEqual(spec.fault?.delay, { percent: 100, fixedDelayMs: 7000, overrideHeader: "" });
    assert.deepEqual(spec.fault.abort, { percent: 0, httpStatus: 500, overrideHeader: "" });
    assert.deepEqual(spec.appendHeaders, [{ name: "x-a", value: "1" }]);
  });

  test("a delay may be exponential, and an abort a gRPC status by name or number", () => {
    const faultOf = (grpcStatus: string) =>
      parse({ httpFault: { delay: { percent: 5, exponentialDelay: "0.5s" }, abort: { grpcStatus } } }).fault;
    assert.deepEqual(faultOf("UNAVAILABLE"), {
      delay: { percent: 5, exponentialDelayMs: 500, overrideHeader: "" },
      abort: { percent: 100, grpcStatus: 14, overrideHeader: "" },
    });
    assert.deepEqual(
      ["deadline_exceeded", "4", "16", "CANCELLED"].map((each) => faultOf(each)?.abort?.grpcStatus),
      [4, 4, 16, 1],
    );
  });

  test("an omitted perTryTimeout is absent, and an abort without status is none", () => {
    const spec = parse({ httpReqRetries: { simpleRetry: { attempts: 1 } }, httpFault: { abort: { httpStatus: 0 } } });
    assert.equal(spec.retry?.perTryTimeoutMs, undefined);
    assert.equal(spec.fault?.abort, undefined);
  });

  test("a lone entry of weight 0 gets everything, and inherits the rule's destination", () => {
    const { route } = parse({ route: [{ labels: { version: "v1" } }] });
    assert.equal(route[0]?.weight, 100);
    assert.deepEqual(route[0].destination, {
      host: "ratings.default.svc.cluster.local",
      service: { namespace: "default", service: "ratings" },
      labels: { version: "v1" },
    });
  });

  test("an entry may go to another service", () => {
    const { route } = parse({ route: [{ destination: { name: "reviews", namespace: "prod" }, weight: 100 }] });
    assert.deepEqual(route[0]?.destination.service, { namespace: "prod", service: "reviews" });
  });

  test("header matches are ordered by name, and the source is resolved", () => {
    const { match } = parse({
      match: {
        source: { name: "reviews", labels: { version: "v2" } },
        request: { headers: { uri: { prefix: "/a" }, cookie: { regex: "a.*" }, method: { exact: "GET" } } },
      },
    });
    assert.deepEqual(match?.headers, [
      { name: "cookie", match: { regex: "a.*" } },
      { name: "method", match: { exact: "GET" } },
      { name: "uri", match: { prefix: "/a" } },
    ]);
    assert.deepEqual(match.source?.service, { namespace: "default", service: "reviews" });
    assert.deepEqual(match.source.labels, { version: "v2" });
  });

  test("snake_case names mean the same, and are stored in lowerCamelCase with their values as given", () => {
    const given = {
      destination: { name: "ratings" },
      http_req_timeout: { simple_timeout: { timeout: "1.5s", override_header_name: "x-t" } },
      http_fault: { abort: { http_status: 500, percent: "50" } },
      append_headers: { "x-snake_case": "a_b" },
    };
    const { spec, parsed, errors } = ROUTE_RULE.parseSpec(given, "spec", CONTEXT);
    assert.deepEqual(errors, []);
    assert.deepEqual(spec, {
      destination: { name: "ratings" },
      httpReqTimeout: { simpleTimeout: { timeout: "1.5s", overrideHeaderName: "x-t" } },
      httpFault: { abort: { httpStatus: 500, percent: "50" } },
      appendHeaders: { "x-snake_case": "a_b" },
    });
    assert.equal(parsed?.timeout?.timeoutMs, 1500);
    assert.equal(parsed.fault?.abort?.percent, 50);
  });

  test("mirror, corsPolicy and websocketUpgrade are taken over", () => {
    const { parsed, errors } = ROUTE_RULE.parseSpec(
      {
        ...DESTINATION,
        websocketUpgrade: true,
        mirror: { name: "ratings", labels: { version: "v2" } },
        corsPolicy: { allowOrigin: ["*"], allowMethods: ["GET"], maxAge: "24s", allowCredentials: true },
      },
      "spec",
      CONTEXT,
    );
    assert.deepEqual(errors, []);
    assert.deepEqual(parsed?.mirror?.labels, { version: "v2" });
    assert.equal(parsed.websocketUpgrade, true);
    assert.deepEqual(parsed.cors, {
      allowOrigin: ["*"],
      allowMethods: ["GET"],
      allowHeaders: [],
      exposeHeaders: [],
      maxAgeMs: 24_000,
      allowCredentials: true,
    });
  });
});
