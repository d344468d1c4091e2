import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type JsonObject, type JsonValue, jsonSchemaOf, protoNameOf, type TypeDoc } from "../../shared/model/index.ts";
import { faultsOf } from "../kinds/json-schema-validator.ts";
import { mutationsOf } from "../kinds/mutations.ts";
import { KINDS, readSpecimens, type Specimen } from "../kinds/specimens.ts";

const specimens = readSpecimens();

function documentOf({ definition, name, namespace }: Specimen, spec: JsonObject): JsonObject {
  return { apiVersion: definition.apiVersions[0] ?? "", kind: definition.kind, metadata: { name, namespace }, spec };
}

/** With every field name as .proto files spell it. */
function inProtoNames(type: TypeDoc, value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as JsonValue[]).map((item) => inProtoNames(type.of ?? { type: "any" }, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => {
      if (type.type === "map") return [name, inProtoNames(type.of ?? { type: "any" }, each)];
      const field = type.fields?.find((one) => one.name === name);
      return field === undefined ? [name, each] : [protoNameOf(field), inProtoNames(field.type, each)];
    }),
  );
}

/** What a schema alone cannot see: forms of text and rules that are not patterns. */
const BEYOND = /^not a |^a duration|^no time at all|^empty$/;

describe("the published JSON Schema", () => {
  for (const definition of KINDS.definitions) {
    const type = definition.describe?.() ?? { type: "any" };
    const schema = jsonSchemaOf(definition);
    const own = specimens.filter((specimen) => specimen.definition === definition);

    test(`${definition.kind}: takes what is valid, in either spelling`, () => {
      for (const specimen of own) {
        assert.deepEqual(faultsOf(schema, documentOf(specimen, specimen.spec)), []);
        const proto = inProtoNames(type, specimen.spec) as JsonObject;
        assert.deepEqual(faultsOf(schema, documentOf(specimen, proto)), []);
        const { namespace, name } = specimen;
        assert.deepEqual(definition.parseSpec(proto, "spec", { namespace, name }).errors, []);
      }
    });

    test(`${definition.kind}: refuses values of wrong types, unknown fields and what has no effect`, () => {
      const missed = own.flatMap((specimen) =>
        [...mutationsOf(type, specimen.spec)]
          .filter(({ why, spec }) => !BEYOND.test(why) && faultsOf(schema, documentOf(specimen, spec)).length === 0)
          .map(({ path, why }) => `${path}: ${why}`),
      );
      assert.deepEqual(missed, []);
    });

    test(`${definition.kind}: refuses another kind, another version and a document without name`, () => {
      const [specimen] = own;
      assert.ok(specimen);
      const good = documentOf(specimen, specimen.spec);
      for (const wrong of [{ kind: "Else" }, { apiVersion: "else/v1" }, { metadata: {} }, { other: 1 }])
        assert.notDeepEqual(faultsOf(schema, { ...good, ...wrong }), []);
    });
  }
});
