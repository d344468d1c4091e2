import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ALL_CODES,
  type AnalysedResource,
  analyze,
  type KnownService,
  parseRegistered,
} from "../../shared/analysis/index.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { worldOf } from "../harness/analysis-world.ts";
import { KINDS, readSpecimens } from "../kinds/specimens.ts";

/** Every field of every kind, as analysis gets it. */
const RESOURCES: readonly AnalysedResource[] = readSpecimens().map(({ definition, namespace, name, spec }) => {
  const { kind, apiVersions } = definition;
  const document = parseResource(
    { apiVersion: apiVersions[0] ?? "", kind, metadata: { name, namespace }, spec },
    KINDS,
  );
  assert.ok(document.ok, `${kind} ${name}`);
  return { key: { kind, namespace, name }, parsed: document.parsed, errors: [] };
});

const SERVICES: readonly KnownService[] = parseRegistered([
  "reviews.default 9080/http,9081/tcp app=reviews,version=v1",
  "ratings.default 9080/http app=ratings unhealthy",
  "istio-ingress.istio-system 80/http istio=ingressgateway gateway",
]);

function judge(resources: readonly AnalysedResource[], services: readonly KnownService[] | undefined): void {
  const known = new Set(ALL_CODES.map(({ code }) => code));
  for (const message of analyze({ ...worldOf(""), resources, services })) {
    assert.ok(known.has(message.code));
    for (const text of [message.message, message.remedy, message.path])
      assert.doesNotMatch(text, /undefined|\[object|NaN/, JSON.stringify(message));
    assert.notEqual(message.message, "");
    assert.notEqual(message.remedy, "");
    assert.notEqual(message.code, "LAT0001");
  }
}

test("whatever a valid resource says, alone and beside all others, is analysed and told in words", () => {
  assert.ok(RESOURCES.length > 20);
  for (const services of [undefined, [], SERVICES]) {
    for (const resource of RESOURCES) judge([resource], services);
    judge(RESOURCES, services);
  }
});
