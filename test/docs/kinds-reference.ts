import { createKindRegistry, type KindDefinition, type TypeDoc } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import { code, table } from "./sections.ts";

const REFUSED = "Refused for now, *not supported yet*";

/** The reference of one kind of configuration: every field as a path, from the schema that judges it. */
export function renderKind(definition: KindDefinition): string {
  const { plural, doc, describe } = definition;
  const type = describe?.();
  const rows = type === undefined ? [] : [...fieldRows(type, "")];
  const fields = rows.length === 0 ? "\nThe spec has no fields.\n\n" : table(["field", "type", "meaning"], rows);
  const choices = type === undefined ? [] : [...choicesOf(type, "")];
  const limits = choices.map((names) => `- At most one of ${names.map(code).join(", ")}.\n`).join("");
  return `\n${doc} Also known as ${code(plural)}.\n${fields}${limits === "" ? "" : `${limits}\n`}`;
}

export function allKinds(): readonly KindDefinition[] {
  return createKindRegistry(POLICY_KINDS).definitions;
}

function* fieldRows(type: TypeDoc, path: string): Iterable<readonly string[]> {
  for (const { name, doc, required, type: fieldType, unsupported, default: otherwise } of type.fields ?? []) {
    const at = path === "" ? name : `${path}.${name}`;
    const { label, suffix, inner } = unwrap(fieldType);
    const refusal = unsupported === undefined ? "" : `${REFUSED}: ${unsupported.remedy}.`;
    const notes = [required ? "Required." : "", doc, otherwise === undefined ? "" : `Default: ${otherwise}.`, refusal];
    yield [code(at), label, notes.filter((note) => note !== "").join(" ")];
    if (unsupported === undefined) yield* fieldRows(inner, `${at}${suffix}`);
  }
}

function* choicesOf(type: TypeDoc, path: string): Iterable<readonly string[]> {
  for (const choice of type.choices ?? []) yield choice.map((name) => (path === "" ? name : `${path}.${name}`));
  for (const { name, type: fieldType } of type.fields ?? []) {
    const { suffix, inner } = unwrap(fieldType);
    yield* choicesOf(inner, `${path === "" ? name : `${path}.${name}`}${suffix}`);
  }
}

/** A type in words, and what lies below it: `[]` is an item of a list, `.<key>` a value of a map. */
function unwrap(type: TypeDoc): { label: string; suffix: string; inner: TypeDoc } {
  if (type.of !== undefined) {
    const { label, suffix, inner } = unwrap(type.of);
    const own = type.type === "map" ? ".<key>" : "[]";
    return { label: `${type.type} of ${label}`, suffix: `${own}${suffix}`, inner };
  }
  const label = type.values === undefined ? type.type : type.values.map(code).join(", ");
  return { label, suffix: "", inner: type };
}
