import { descriptionOf, type FieldDoc, type KindDefinition, type TypeDoc } from "../../shared/model/index.ts";
import { code, table } from "./sections.ts";

/** The page of one kind: every field as a path, from the schema that judges it. */
export function renderKind(definition: KindDefinition, example: string): string {
  const { kind, plural, doc, describe, apiVersions, shortNames = [], namespaceDefault } = definition;
  const type = describe?.() ?? { type: "object" };
  const names = [plural, ...shortNames].map(code).join(", ");
  const rows = [...new FieldTable().rowsOf(type)];
  const choices = [...choicesOf(type, "", new Set())].map((each) => `- At most one of ${each.map(code).join(", ")}.`);
  return [
    `# ${kind}`,
    doc,
    [
      `- API versions: ${apiVersions.map(code).join(", ")}`,
      `- Also known as ${names}`,
      `- Namespace where none is given: ${code(namespaceDefault)}`,
      `- [JSON Schema](schema/${fileName(definition)}.json)`,
    ].join("\n"),
    "## Example",
    `\`\`\`yaml\n${example}\`\`\``,
    "## Fields of the spec",
    rows.length === 0 ? "There are none." : table(["field", "type", "default", "meaning"], rows).trim(),
    ...(choices.length === 0 ? [] : [choices.join("\n")]),
    "",
  ].join("\n\n");
}

export function fileName({ kind }: KindDefinition): string {
  return kind.toLowerCase();
}

/** A part that stands at several places is told once; the others point at the first. */
class FieldTable {
  readonly #told = new Map<string, string>();

  *rowsOf(type: TypeDoc, path = ""): Iterable<readonly string[]> {
    for (const field of type.fields ?? []) {
      const at = path === "" ? field.name : `${path}.${field.name}`;
      const { label, suffix, inner } = unwrap(field.type);
      const key = (inner.fields?.length ?? 0) > 1 ? JSON.stringify(inner) : undefined;
      const first = key === undefined || field.unsupported !== undefined ? undefined : this.#told.get(key);
      if (key !== undefined && first === undefined && field.unsupported === undefined)
        this.#told.set(key, `${at}${suffix}`);
      yield [code(at), label, field.default ?? "", meaningOf(field, first)];
      if (first === undefined && field.unsupported === undefined) yield* this.rowsOf(inner, `${at}${suffix}`);
    }
  }
}

function meaningOf(field: FieldDoc, first: string | undefined): string {
  const { refusedValues = {}, deprecatedValues = {} } = field.type;
  return [
    field.required ? "Required." : "",
    descriptionOf(withoutDefault(field)),
    ...Object.entries(refusedValues).map(([value, remedy]) => `${code(value)} is not supported yet: ${remedy}.`),
    ...Object.entries(deprecatedValues).map(([value, remedy]) => `${code(value)} is deprecated: ${remedy}.`),
    first === undefined ? "" : `Fields as those of ${code(first)}.`,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** It has a column of its own. */
function withoutDefault({ default: _, ...rest }: FieldDoc): FieldDoc {
  return rest;
}

function* choicesOf(type: TypeDoc, path: string, told: Set<string>): Iterable<readonly string[]> {
  const key = JSON.stringify(type);
  if (told.has(key)) return;
  told.add(key);
  for (const choice of type.choices ?? []) yield choice.map((name) => (path === "" ? name : `${path}.${name}`));
  for (const { name, type: fieldType, unsupported } of type.fields ?? []) {
    if (unsupported !== undefined) continue;
    const { suffix, inner } = unwrap(fieldType);
    yield* choicesOf(inner, `${path === "" ? name : `${path}.${name}`}${suffix}`, told);
  }
}

/** A type in words, and what lies below it: `[]` is an item of a list, `.<key>` a value of a map. */
function unwrap(type: TypeDoc): { label: string; suffix: string; inner: TypeDoc } {
  if (type.of === undefined) return { label: typeLabel(type), suffix: "", inner: type };
  const { label, suffix, inner } = unwrap(type.of);
  const own = type.type === "map" ? ".<key>" : "[]";
  return { label: `${type.type} of ${label}`, suffix: `${own}${suffix}`, inner };
}

const INT32_MAX = 2_147_483_647;

function typeLabel({ type, format, values, min, max, bareText }: TypeDoc): string {
  if (values !== undefined) return values.map(code).join(", ");
  if (format !== undefined) return format;
  if (bareText) return `${type} or text`;
  if (type === "string") return "text";
  if (min === undefined || max === undefined || Math.abs(max) >= 1e300 || min < -INT32_MAX) return type;
  if (max === INT32_MAX) return `${type}, ${min} or more`;
  return `${type}, ${min} to ${max}`;
}
