import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldError, JsonObject, KindDefinition } from "../../shared/model/index.ts";

/** Judging specs of one kind, as resources `x` of namespace `prod`. */

export const CONTEXT = { namespace: "prod", name: "x" };

/** Path, and what the reason must look like. */
export type Expected = readonly (readonly [path: string, reason: RegExp])[];

/** What a valid spec means. */
export function meaning<T>(definition: KindDefinition<T>, spec: JsonObject): T {
  const { parsed, errors } = definition.parseSpec(spec, "spec", CONTEXT);
  assert.deepEqual(errors, []);
  assert.ok(parsed !== undefined);
  return parsed;
}

/** One test a row: exactly these errors, each with a remedy. */
export function refusals(
  definition: KindDefinition,
  rows: readonly (readonly [what: string, spec: JsonObject, expected: Expected])[],
): void {
  for (const [what, spec, expected] of rows) {
    test(`${definition.kind} is refused ${what}`, () =>
      assertFound(definition.parseSpec(spec, "spec", CONTEXT).errors, expected));
  }
}

/** One test a row: accepted, with exactly these warnings. */
export function warnings(
  definition: KindDefinition,
  rows: readonly (readonly [what: string, spec: JsonObject, expected: Expected])[],
): void {
  for (const [what, spec, expected] of rows) {
    test(`${definition.kind} is accepted with a warning ${what}`, () => {
      const { errors, warnings: found } = definition.parseSpec(spec, "spec", CONTEXT);
      assert.deepEqual(errors, []);
      assertFound(found ?? [], expected);
    });
  }
}

function assertFound(found: readonly FieldError[], expected: Expected): void {
  const shown = JSON.stringify(found);
  assert.deepEqual(found.map(({ path }) => path).sort(), expected.map(([path]) => path).sort(), shown);
  for (const [path, reason] of expected)
    assert.ok(
      found.some((error) => error.path === path && reason.test(error.reason) && error.remedy !== ""),
      shown,
    );
}
