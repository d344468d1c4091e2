import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FileDocument, parseDocuments, revisionGiven, withRevision } from "../../cli/documents.ts";
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
