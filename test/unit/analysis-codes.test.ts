import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_CODES, analyze, GROUPS } from "../../shared/analysis/index.ts";
import { exampleWorld, repairedWorld } from "../harness/analysis-world.ts";

test("codes and names are used once, and every code is in a group", () => {
  assert.equal(new Set(ALL_CODES.map(({ code }) => code)).size, ALL_CODES.length);
  assert.equal(new Set(ALL_CODES.map(({ name }) => name)).size, ALL_CODES.length);
  for (const { code, name } of ALL_CODES) {
    assert.match(code, /^LAT\d{4}$/);
    assert.match(name, /^(?:[A-Z][a-z]+)+$/);
    assert.ok(Object.hasOwn(GROUPS, code.slice(3, 5)), code);
  }
});

for (const { code, name, level, example } of ALL_CODES) {
  test(`the example of ${code} ${name} triggers it, and the repaired one does not`, () => {
    const messages = analyze(exampleWorld(example));
    const found = messages.find((message) => message.code === code);
    assert.ok(found, `not triggered; said: ${JSON.stringify(messages, undefined, 1)}`);
    assert.equal(found.level, level);
    assert.notEqual(found.message, "");
    const repaired = analyze(repairedWorld(example));
    assert.deepEqual(
      repaired.filter((message) => message.code === code),
      [],
    );
    if (code !== "LAT0001")
      assert.deepEqual(
        messages.filter((message) => message.code === "LAT0001"),
        [],
      );
    assert.deepEqual(
      repaired.filter((message) => message.code === "LAT0001"),
      [],
    );
  });
}
