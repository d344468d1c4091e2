import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonValue, TypeDoc } from "../../shared/model/index.ts";
import { type Mutation, mutationsOf } from "../kinds/mutations.ts";
import { KINDS, readSpecimens, type Specimen } from "../kinds/specimens.ts";

/**
 * Nothing wrong gets through: from the schema of every kind come all the ways in which each field can be wrong, and each
 * must be refused with an error that names the field. And nothing is left out: every field that has an effect stands in a
 * specimen, so that it is among those that are tried.
 */

const specimens = readSpecimens();

function isNamed(path: string, at: string): boolean {
  return at === path || at.startsWith(`${path}.`) || at.startsWith(`${path}[`);
}

function survives({ definition, namespace, name }: Specimen, { path, spec }: Mutation): boolean {
  const { errors } = definition.parseSpec(spec, "spec", { namespace, name });
  return !errors.some((error) => isNamed(path, error.path) && error.reason !== "" && error.remedy !== "");
}

/** `a.b[].c.*` of every field that has an effect. */
function* fieldsOf(type: TypeDoc, prefix: string): Iterable<string> {
  if (type.of !== undefined) yield* fieldsOf(type.of, `${prefix}${type.type === "map" ? ".*" : "[]"}`);
  for (const field of type.fields ?? []) {
    if (field.unsupported !== undefined) continue;
    const path = prefix === "" ? field.name : `${prefix}.${field.name}`;
    yield path;
    yield* fieldsOf(field.type, path);
  }
}

function* givenIn(type: TypeDoc, value: JsonValue, prefix: string): Iterable<string> {
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) yield* givenIn(type.of ?? { type: "any" }, item, `${prefix}[]`);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      if (type.type === "map") yield* givenIn(type.of ?? { type: "any" }, item, `${prefix}.*`);
      const field = type.fields?.find((each) => each.name === name);
      if (field === undefined) continue;
      const path = prefix === "" ? name : `${prefix}.${name}`;
      yield path;
      yield* givenIn(field.type, item, path);
    }
  }
}

describe("every kind of configuration", () => {
  for (const definition of KINDS.definitions) {
    const type = definition.describe?.() ?? { type: "any" };
    const own = specimens.filter((specimen) => specimen.definition === definition);

    test(`${definition.kind}: every field that has an effect stands in a specimen`, () => {
      const given = new Set(own.flatMap(({ spec }) => [...givenIn(type, spec, "")]));
      assert.deepEqual(
        [...new Set(fieldsOf(type, ""))].filter((path) => !given.has(path)),
        [],
      );
      assert.ok(own.length > 0);
    });

    test(`${definition.kind}: whatever is wrong with a field is refused by its name`, (context) => {
      let count = 0;
      const survivors: string[] = [];
      for (const specimen of own) {
        for (const mutation of mutationsOf(type, specimen.spec)) {
          count++;
          if (survives(specimen, mutation)) survivors.push(`${specimen.name}: ${mutation.path}: ${mutation.why}`);
        }
      }
      context.diagnostic(`${definition.kind}: ${count} mutations, ${count - survivors.length} refused by name`);
      assert.deepEqual(survivors, []);
      total += count;
      assert.ok(count > 0 || type.fields?.length === 0);
    });
  }

  test("the figure of mutations", (context) => {
    context.diagnostic(`${total} mutations of ${KINDS.definitions.length} kinds, all refused by name`);
    assert.ok(total > 5_000);
  });
});

let total = 0;
