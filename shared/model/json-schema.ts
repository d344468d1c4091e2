import type { KindDefinition } from "./kind.ts";
import type { JsonObject, JsonValue } from "./resource.ts";
import { type FieldDoc, protoNameOf, type TypeDoc } from "./type-doc.ts";

/**
 * JSON Schema (draft 2020-12) of a kind, for editors: they complete field names, show what each means, and mark what is
 * wrong while it is written. What ties several fields together is beyond it; `lateen validate` judges that too. What the
 * mesh takes, these schemas take as well, with one exception: a field without value (null) is only left out.
 */

const DRAFT = "https://json-schema.org/draft/2020-12/schema";
const DURATION = "^\\d{1,12}(?:\\.\\d{1,9})?s$";
const ANY_DURATION = "^(?:[-+]?0|\\+?(?:\\d+(?:\\.\\d*)?(?:h|ms|m|us|\\u00b5s|\\u03bcs|ns|s))+)$";

/** The schema of a whole resource of the kind. */
export function jsonSchemaOf(definition: KindDefinition): JsonObject {
  const type = definition.describe?.() ?? { type: "object" };
  const writer = new Writer(type);
  const spec = writer.schemaOf(type);
  const hasRequired = type.fields?.some((field) => field.required) === true;
  return {
    $schema: DRAFT,
    title: definition.kind,
    description: definition.doc,
    type: "object",
    required: ["apiVersion", "kind", "metadata", ...(hasRequired ? ["spec"] : [])],
    properties: {
      apiVersion: { enum: [...definition.apiVersions] },
      kind: { const: definition.kind },
      metadata: METADATA,
      spec,
      status: { description: "Kept by Kubernetes; not stored." },
    },
    additionalProperties: false,
    ...(writer.definitions.size === 0 ? {} : { $defs: Object.fromEntries(writer.definitions) }),
  };
}

/** One schema for documents of any kind; `fileOf` names the file of each kind's own, next to this one. */
export function jsonSchemaOfAll(
  definitions: readonly KindDefinition[],
  fileOf: (definition: KindDefinition) => string,
): JsonObject {
  return {
    $schema: DRAFT,
    title: "Lateen configuration",
    type: "object",
    required: ["kind"],
    properties: { kind: { enum: definitions.map(({ kind }) => kind) } },
    allOf: definitions.map((definition) => ({
      if: { properties: { kind: { const: definition.kind } }, required: ["kind"] },
      // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
      then: { $ref: fileOf(definition) },
    })),
  };
}

const LABEL = "^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$";

const METADATA: JsonObject = {
  type: "object",
  required: ["name"],
  properties: {
    name: { type: "string", pattern: LABEL, description: "The name of the resource." },
    namespace: { type: "string", pattern: LABEL, description: "The namespace it belongs to." },
    resourceVersion: { type: "string", pattern: "^\\d+$", description: "The revision it expects to replace." },
    labels: { type: "object", additionalProperties: { type: "string" }, description: "Labels of the resource." },
    annotations: { type: "object", additionalProperties: { type: "string" }, description: "Notes of the resource." },
  },
};

/** Objects that occur more than once are written once, below $defs. */
class Writer {
  readonly definitions = new Map<string, JsonObject>();
  readonly #counts = new Map<string, number>();
  readonly #names = new Map<string, string>();

  constructor(type: TypeDoc) {
    this.#count(type);
  }

  #count(type: TypeDoc): void {
    if (type.of !== undefined) this.#count(type.of);
    if (type.fields === undefined) return;
    const key = JSON.stringify(type);
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count === 1) for (const field of type.fields) this.#count(field.type);
  }

  /** `name`: what the type is called where it is first met. */
  schemaOf(type: TypeDoc, name = "spec"): JsonObject {
    switch (type.type) {
      case "string":
        return {
          type: "string",
          ...(type.pattern !== undefined && { pattern: type.pattern }),
          ...(type.minLength !== undefined && { minLength: type.minLength }),
        };
      case "bool":
        return { type: "boolean" };
      case "int32":
      case "int64":
        return {
          anyOf: [
            { type: "integer", ...limits(type) },
            { type: "string", pattern: "^-?\\d{1,16}$" },
          ],
        };
      case "float":
        return {
          anyOf: [
            { type: "number", ...limits(type) },
            { type: "string", pattern: "^-?\\d+(?:\\.\\d+)?$" },
          ],
        };
      case "duration":
        return { type: "string", pattern: type.anyUnit ? ANY_DURATION : DURATION };
      case "enum": {
        const values = type.values ?? [];
        const names = values.filter((value) => type.refusedValues?.[value] === undefined);
        return { anyOf: [{ enum: names }, { type: "integer", minimum: 0, maximum: values.length }] };
      }
      case "list":
        return {
          type: "array",
          ...(type.of !== undefined && { items: this.schemaOf(type.of, singular(name)) }),
          ...(type.minLength !== undefined && { minItems: type.minLength }),
        };
      case "map":
        return { type: "object", ...(type.of && { additionalProperties: this.schemaOf(type.of, singular(name)) }) };
      case "object":
        return this.#object(type, name);
      default:
        return {};
    }
  }

  #object(type: TypeDoc, name: string): JsonObject {
    if (type.fields === undefined) return { type: "object" };
    const key = JSON.stringify(type);
    if ((this.#counts.get(key) ?? 0) < 2) return this.#fields(type, type.fields);
    const known = this.#names.get(key);
    if (known !== undefined) return { $ref: `#/$defs/${known}` };
    let free = name;
    for (let number = 2; this.definitions.has(free); number++) free = `${name}${number}`;
    this.#names.set(key, free);
    // Takes the name before its parts look for theirs.
    this.definitions.set(free, {});
    this.definitions.set(free, this.#fields(type, type.fields));
    return { $ref: `#/$defs/${free}` };
  }

  #fields(type: TypeDoc, fields: readonly FieldDoc[]): JsonObject {
    const properties = fields.map((field): [string, JsonObject] => [field.name, this.#field(field)]);
    const others = fields.filter((field) => protoNameOf(field) !== field.name);
    const required = fields.filter((field) => field.required);
    const schema: JsonObject = {
      type: "object",
      properties: Object.fromEntries(properties),
      // As .proto files spell them: taken, but not offered.
      ...(others.length > 0 && {
        patternProperties: Object.fromEntries(others.map((field) => [`^${protoNameOf(field)}$`, this.#field(field)])),
      }),
      additionalProperties: false,
      ...allOf([...required.map(requirement), ...(type.choices ?? []).flatMap(exclusions)]),
    };
    return type.bareText ? { anyOf: [{ type: "string" }, schema] } : schema;
  }

  #field(field: FieldDoc): JsonObject {
    const description = descriptionOf(field);
    if (field.unsupported !== undefined) {
      const harmless = [...(field.unsupported.harmless ?? []), ...(field.type.type === "list" ? [[]] : [])];
      return { description, enum: harmless };
    }
    const schema = this.schemaOf(field.type, field.name);
    return { description, ...(field.deprecated !== undefined && { deprecated: true }), ...schema };
  }
}

/** What people read of a field: its sentence, default, and what is to be done instead. */
export function descriptionOf({ doc, default: otherwise, deprecated, unsupported }: FieldDoc): string {
  return [
    doc,
    otherwise === undefined ? "" : `Default: ${otherwise}.`,
    deprecated === undefined ? "" : `Deprecated: ${deprecated}.`,
    unsupported === undefined ? "" : `Not supported yet: ${unsupported.remedy}.`,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

function limits({ min, max }: TypeDoc): JsonObject {
  return { ...(min !== undefined && { minimum: min }), ...(max !== undefined && { maximum: max }) };
}

function allOf(parts: readonly JsonValue[]): JsonObject {
  return parts.length === 0 ? {} : { allOf: parts };
}

function requirement(field: FieldDoc): JsonObject {
  const proto = protoNameOf(field);
  if (proto === field.name) return { required: [field.name] };
  return { anyOf: [{ required: [field.name] }, { required: [proto] }] };
}

/** No two of the choice. */
function exclusions(choice: readonly string[]): JsonObject[] {
  return choice.flatMap((first, index) =>
    choice.slice(index + 1).map((second) => ({ not: { required: [first, second] } })),
  );
}

function singular(name: string): string {
  return name.endsWith("ies")
    ? `${name.slice(0, -3)}y`
    : name.endsWith("s") && !name.endsWith("ss")
      ? name.slice(0, -1)
      : name;
}
