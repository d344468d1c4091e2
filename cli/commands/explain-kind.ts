import {
  closest,
  createKindRegistry,
  descriptionOf,
  type FieldDoc,
  type JsonValue,
  type KindDefinition,
  protoNameOf,
  type TypeDoc,
} from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import type { CommandDefinition } from "../command.ts";
import { EXIT, UsageError } from "../io.ts";
import { withOutputOption } from "../options.ts";
import { renderTable } from "../render.ts";

interface ExplainKindFlags {
  readonly output: string;
  readonly recursive?: boolean;
}

/** Tells of a kind or field what the schema knows; like `kubectl explain`. */
export const EXPLAIN_KIND: CommandDefinition = {
  name: "explain-kind",
  group: "Configuration",
  summary: "tell what a kind of configuration, or one of its fields, is for",
  about:
    "Tells what a kind or one of its fields is for: type, limits, default, what it means, and whether it is deprecated or " +
    "not supported yet. Without a kind, lists all of them. Needs no mesh.",
  examples: [
    { what: "List the kinds", line: "lateen explain-kind" },
    { what: "Tell of a kind, by any of its names", line: "lateen explain-kind vs" },
    { what: "Tell of a field", line: "lateen explain-kind destinationrule.trafficPolicy.outlierDetection" },
    { what: "Show the whole tree", line: "lateen explain-kind gateway --recursive" },
  ],
  completes: ["kinds"],
  define(command, { io, run }) {
    withOutputOption(command.argument("[kind]", "KIND, or KIND.field.path"), ["text", "json"])
      .option("--recursive", "show the fields of fields too")
      .action((asked: string | undefined, flags: ExplainKindFlags) =>
        run(async () => {
          const { definition, path, field } = find(asked);
          if (flags.output === "json") io.out(JSON.stringify(toJson(definition, path, field), undefined, 2));
          else if (definition === undefined) io.out(renderKinds());
          else io.out(renderField(definition, path, field, flags.recursive === true));
          return EXIT.ok;
        }),
      );
  },
};

const REGISTRY = createKindRegistry(POLICY_KINDS);

interface Found {
  readonly definition: KindDefinition | undefined;
  /** Below the spec, as it is spelled. */
  readonly path: readonly string[];
  /** The spec itself when the path is empty. */
  readonly field: FieldDoc | undefined;
}

/** `vs.spec.http[0].match` or `vs.http.match`. Throws for what is not known. */
function find(asked: string | undefined): Found {
  if (asked === undefined) return { definition: undefined, path: [], field: undefined };
  const [spelling = "", ...rest] = asked.replaceAll(/\[[^\]]*\]/g, "").split(".");
  const definition = resolve(spelling);
  const spec: FieldDoc = {
    name: "spec",
    doc: definition.doc,
    required: false,
    type: definition.describe?.() ?? { type: "object" },
  };
  let field = spec;
  const path: string[] = [];
  for (const name of rest[0] === "spec" ? rest.slice(1) : rest) {
    field = child(field, name, [definition.kind, ...path].join("."));
    path.push(field.name);
  }
  return { definition, path, field };
}

function resolve(spelling: string): KindDefinition {
  try {
    return REGISTRY.resolve(spelling);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function child(field: FieldDoc, name: string, where: string): FieldDoc {
  const fields = inner(field.type).fields ?? [];
  const found = fields.find((each) => each.name === name || protoNameOf(each) === name);
  if (found !== undefined) return found;
  if (fields.length === 0) throw new UsageError(`${where} has no fields`);
  const names = fields.map((each) => each.name);
  const meant = closest(name, names);
  const hint = meant === undefined ? `its fields are ${names.join(", ")}` : `did you mean ${meant}?`;
  throw new UsageError(`${where} has no field ${name}; ${hint}`);
}

/** What a list or map holds. */
function inner(type: TypeDoc): TypeDoc {
  return type.of === undefined ? type : inner(type.of);
}

function toJson(
  definition: KindDefinition | undefined,
  path: readonly string[],
  field: FieldDoc | undefined,
): JsonValue {
  const head = ({ kind, plural, shortNames = [], apiVersions, namespaceDefault, doc }: KindDefinition): JsonValue => ({
    kind,
    plural,
    shortNames: [...shortNames],
    apiVersions: [...apiVersions],
    namespaceDefault,
    doc,
  });
  if (definition === undefined) return REGISTRY.definitions.map(head);
  return {
    ...(head(definition) as object),
    path: path.join("."),
    field: JSON.parse(JSON.stringify(field)) as JsonValue,
  };
}

function renderKinds(): string {
  return renderTable(
    ["KIND", "SHORT", "API VERSION", "PURPOSE"],
    REGISTRY.definitions.map(({ kind, shortNames = [], apiVersions, doc }) => [
      kind,
      shortNames.join(","),
      apiVersions[0] ?? "",
      doc,
    ]),
  );
}

function renderField(
  { kind, apiVersions, doc, plural, shortNames = [] }: KindDefinition,
  path: readonly string[],
  field: FieldDoc | undefined,
  recursive: boolean,
): string {
  if (field === undefined) return doc;
  const type = inner(field.type);
  const head =
    path.length === 0
      ? [`KIND:     ${kind} (${[plural, ...shortNames].join(", ")})`, `VERSION:  ${apiVersions.join(", ")}`]
      : [
          `KIND:     ${kind}`,
          `FIELD:    ${path.join(".")} <${typeText(field.type)}>${field.required ? " required" : ""}`,
        ];
  const parts = [head.join("\n"), `DESCRIPTION:\n  ${descriptionOf(field)}${valuesText(type)}`];
  if (type.fields !== undefined && type.fields.length > 0)
    parts.push(`FIELDS:\n${fieldLines(type, recursive, "  ").join("\n")}`);
  const choices = (type.choices ?? []).map((choice) => `  At most one of ${choice.join(", ")}.`);
  if (choices.length > 0) parts.push(choices.join("\n"));
  return parts.join("\n\n");
}

function fieldLines(type: TypeDoc, recursive: boolean, indent: string): string[] {
  return (type.fields ?? []).flatMap((field) => {
    const notes = [field.required ? " required" : "", field.unsupported === undefined ? "" : " not supported yet"];
    const line = `${indent}${field.name} <${typeText(field.type)}>${notes.join("")}`;
    if (recursive) {
      const below = field.unsupported === undefined ? fieldLines(inner(field.type), true, `${indent}  `) : [];
      return [line, ...below];
    }
    return [line, `${indent}  ${descriptionOf(field)}`];
  });
}

function typeText(type: TypeDoc): string {
  if (type.of !== undefined) return `${type.type} of ${typeText(type.of)}`;
  return type.format ?? (type.type === "string" ? "text" : type.type);
}

function valuesText({ values, refusedValues = {}, deprecatedValues = {}, min, max, minMs }: TypeDoc): string {
  const lines = [
    values === undefined ? "" : `One of ${values.join(", ")}.`,
    ...Object.entries(refusedValues).map(([value, remedy]) => `${value} is not supported yet: ${remedy}.`),
    ...Object.entries(deprecatedValues).map(([value, remedy]) => `${value} is deprecated: ${remedy}.`),
    min === undefined || max === undefined ? "" : `From ${min} to ${max}.`,
    minMs === undefined || minMs === 0 ? "" : `At least ${minMs} ms.`,
  ].filter((line) => line !== "");
  return lines.map((line) => `\n  ${line}`).join("");
}
