import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type FileDocument,
  isOfTheMesh,
  ofTheMesh,
  parseDocuments,
  revisionGiven,
  withRevision,
} from "../../cli/documents.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { createKindRegistry } from "../../shared/model/index.ts";

function documentOf(metadata: object): FileDocument {
  const value = { apiVersion: "networking.istio.io/v1", kind: "DestinationRule", metadata, spec: { host: "a" } };
  const [document] = parseDocuments({ name: "-", text: JSON.stringify(value) });
  assert.ok(document !== undefined && "value" in document);
  return document;
}

describe("the revision that a document is to replace", () => {
  test("is the one that it gives, unless Kubernetes gave it", () => {
    assert.equal(revisionGiven(documentOf({ name: "a", resourceVersion: "7" })), "7");
    assert.equal(revisionGiven(documentOf({ name: "a", resourceVersion: "7", uid: "u" })), undefined);
    assert.equal(revisionGiven(documentOf({ name: "a" })), undefined);
  });

  test("is looked at where a command sets it, also on a document of Kubernetes", () => {
    const { value } = withRevision(documentOf({ name: "a", resourceVersion: "98172304981", uid: "u" }), "0");
    const judged = parseResource(value, createKindRegistry());
    assert.ok(judged.ok);
    assert.equal(judged.parsed.resource.metadata.resourceVersion, "0");
  });
});

describe("objects of Kubernetes among the documents of a file", () => {
  const text = [
    "apiVersion: v1\nkind: Service\nmetadata: {name: httpbin}\n",
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: httpbin}\nspec: {host: httpbin}\n",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: httpbin}\n",
    "a: [\n",
  ].join("---\n");

  test("are left out by name; all else goes on to be judged, in its place", () => {
    const told: string[] = [];
    const kept = ofTheMesh(parseDocuments({ name: "a.yaml", text }), { err: (line) => told.push(line) });
    assert.deepEqual(
      kept.map(({ place }) => place),
      [1, 2, 3],
    );
    assert.deepEqual(told, ["Left out service/httpbin of a.yaml: an object of Kubernetes"]);
  });

  test("are what a file is looked through for", () => {
    assert.ok(!isOfTheMesh({ name: "a.yaml", text }));
    assert.ok(isOfTheMesh({ name: "a.yaml", text: text.slice(text.indexOf("---")) }));
  });
});
