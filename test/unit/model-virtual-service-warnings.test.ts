import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type JsonObject, VIRTUAL_SERVICE } from "../../shared/model/index.ts";
import { warnings } from "../kinds/judged.ts";

const TO = { destination: { host: "reviews" } };
const route = (more: JsonObject = {}): JsonObject => ({ route: [TO], ...more });
const vs = (...http: JsonObject[]): JsonObject => ({ hosts: ["reviews"], http });

describe("a VirtualService is accepted with a warning", () => {
  warnings(VIRTUAL_SERVICE, [
    [
      "about routes after one for all requests",
      vs(route(), route({ name: "late" })),
      [["spec.http[1]", /http\[0\] takes every request/]],
    ],
    [
      "about routes after one for every path",
      vs(route({ match: [{ uri: { prefix: "/" } }] }), route({ match: [{ uri: { exact: "/a" } }] })),
      [["spec.http[1]", /http\[0\] takes every request/]],
    ],
    [
      "about the same conditions again, however they are named",
      vs(
        route({ match: [{ name: "a", uri: { prefix: "/a" } }] }),
        route({ match: [{ name: "b", uri: { prefix: "/a" } }] }),
      ),
      [["spec.http[1]", /http\[0\] takes all that it asks for/]],
    ],
    [
      "about a longer prefix with more conditions after a shorter one",
      vs(
        route({ match: [{ uri: { prefix: "/a" }, headers: { x: { exact: "1" } } }] }),
        route({
          match: [{ uri: { prefix: "/a/b" }, headers: { x: { exact: "1" }, y: {} } }, { uri: { exact: "/c" } }],
        }),
      ),
      [["spec.http[1].match[0]", /http\[0\] takes all/]],
    ],
    [
      "about the only destination's weight",
      vs({ route: [{ ...TO, weight: 40 }] }),
      [["spec.http[0].route[0].weight", /no effect/]],
    ],
    [
      "about faults that meet nobody",
      vs(route({ fault: { delay: { fixedDelay: "1s" }, abort: { httpStatus: 500 } } })),
      [
        ["spec.http[0].fault.delay", /delays no request/],
        ["spec.http[0].fault.abort", /aborts no request/],
      ],
    ],
    [
      "about an abort without status",
      vs(route({ fault: { abort: { percentage: { value: 1 } } } })),
      [["spec.http[0].fault.abort", /aborts nothing/]],
    ],
    [
      "about a share without mirror",
      vs(route({ mirrorPercentage: { value: 5 } })),
      [["spec.http[0].mirrorPercentage", /without mirror/]],
    ],
    [
      "about a header named like a part of the request",
      vs(route({ match: [{ headers: { method: { exact: "GET" } } }] })),
      [["spec.http[0].match[0].headers.method", /a header named method/]],
    ],
    [
      "about a gateway's older name",
      { hosts: ["a.example.com"], gateways: ["edge.web.svc.cluster.local"], http: [route()] },
      [["spec.gateways[0]", /deprecated/]],
    ],
    [
      "about letter case that a pattern has itself",
      vs(route({ match: [{ uri: { regex: "/a" }, ignoreUriCase: true }] })),
      [["spec.http[0].match[0].ignoreUriCase", /no effect/]],
    ],
  ]);

  test("has no warning for routes that differ in what they ask for", () => {
    const { warnings: found } = VIRTUAL_SERVICE.parseSpec(
      vs(
        route({ match: [{ uri: { prefix: "/a" }, port: 80 }] }),
        route({ match: [{ uri: { prefix: "/a" }, port: 81 }] }),
        route({ match: [{ uri: { prefix: "/A" }, ignoreUriCase: true }] }),
        route({ match: [{ uri: { prefix: "/b" }, headers: { x: {} } }] }),
        route({ match: [{ uri: { prefix: "/b" } }] }),
        route(),
      ),
      "spec",
      { namespace: "prod", name: "x" },
    );
    assert.deepEqual(found, []);
  });
});
