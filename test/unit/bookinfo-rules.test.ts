import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseSubmission } from "../../shared/model/documents.ts";
import { createKindRegistry, formatKey } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";

/** Compiled tests lie in <out>/test/unit; the rules stay in the source tree. */
const RULES = fileURLToPath(new URL("../../../samples/bookinfo/rules", import.meta.url));
const README = readFileSync(join(RULES, "../README.md"), "utf8");
const kinds = createKindRegistry(POLICY_KINDS);

function keysOf(file: string): string[] {
  return parseSubmission(readFileSync(join(RULES, file), "utf8"), kinds).map((document) => {
    assert.deepEqual(document.ok ? [] : document.errors, [], file);
    return formatKey(document);
  });
}

for (const file of readdirSync(RULES)) {
  test(`the sample ${file} is valid and described in the README`, () => {
    assert.ok(keysOf(file).length > 0);
    assert.ok(README.includes(`\`${file}\``), "not in the README");
  });
}

test("route-rule-all-v1 has a rule for each service, ingress one for each way in", () => {
  assert.deepEqual(
    keysOf("route-rule-all-v1.yaml"),
    ["productpage", "reviews", "ratings", "details"].map((service) => `routerule/default/${service}-default`),
  );
  assert.equal(keysOf("ingress.yaml").length, 4);
});
