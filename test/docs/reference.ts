import { readFileSync } from "node:fs";
import { type JsonObject, jsonSchemaOf, jsonSchemaOfAll, type KindDefinition } from "../../shared/model/index.ts";
import { KINDS } from "../kinds/specimens.ts";
import { fileName, renderKind } from "./reference-page.ts";
import { code, table } from "./sections.ts";

const EXAMPLES = new URL("../../../docs/reference/examples/", import.meta.url);
const ALL = "all";

/** The example of a kind, as it stands on its page. */
export function exampleOf(definition: KindDefinition): string {
  return readFileSync(new URL(`${fileName(definition)}.yaml`, EXAMPLES), "utf8");
}

/** Every file of docs/reference/ that is made from the schemas: path below docs/ -> content. */
export function referenceFiles(): ReadonlyMap<string, string> {
  const { definitions } = KINDS;
  return new Map([
    ["reference/README.md", renderIndex()],
    [`reference/schema/${ALL}.json`, jsonText(jsonSchemaOfAll(definitions, (each) => `${fileName(each)}.json`))],
    ...definitions.flatMap((definition): [string, string][] => [
      [`reference/${fileName(definition)}.md`, renderKind(definition, exampleOf(definition))],
      [`reference/schema/${fileName(definition)}.json`, jsonText(jsonSchemaOf(definition))],
    ]),
  ]);
}

function jsonText(schema: JsonObject): string {
  return `${JSON.stringify(schema, undefined, 1)}\n`;
}

const GROUPS: readonly (readonly [string, (definition: KindDefinition) => boolean])[] = [
  ["Traffic", ({ class: owner, apiVersions }) => owner === "traffic" && !isOlder(apiVersions)],
  ["Traffic, the older kinds", ({ class: owner, apiVersions }) => owner === "traffic" && isOlder(apiVersions)],
  ["Policy and telemetry", ({ class: owner }) => owner === "mixer-rule" || owner.startsWith("quota")],
  ["Handlers", ({ class: owner }) => owner === "mixer-handler"],
  ["Instances", ({ class: owner }) => owner === "mixer-instance"],
];

function isOlder(apiVersions: readonly string[]): boolean {
  return apiVersions[0]?.startsWith("config.istio.io/") === true;
}

function renderIndex(): string {
  const groups = GROUPS.map(([title, belongs]) => {
    const rows = KINDS.definitions
      .filter(belongs)
      .map((definition) => [
        `[${definition.kind}](${fileName(definition)}.md)`,
        code(definition.apiVersions[0] ?? ""),
        (definition.shortNames ?? []).map(code).join(", "),
        definition.doc,
      ]);
    return `## ${title}\n\n${table(["kind", "API version", "short", "purpose"], rows).trim()}`;
  });
  return [HEAD.trim(), ...groups, TAIL.trim(), ""].join("\n\n");
}

const HEAD = `
# Reference of the configuration

Every kind with all of its fields. These pages, the JSON Schema files and \`lateen explain-kind\` are made from the schemas that judge what is
applied (\`npm run docs\`), so they say what the mesh does. How the kinds work together is told in [rules](../rules.md).

- Field names are lowerCamelCase, or as Istio's .proto files spell them (\`http_req_timeout\`). An unknown field is refused.
- A field has an effect, or it is refused with *not supported yet* and what to do instead. None is ignored.
- A deprecated field is accepted, with a warning that names what to use.
- Durations are \`5s\`, \`0.5s\`; in the newer kinds also \`1h30m\`, \`250ms\`.
- A \`[]\` in a path is an item of a list, \`.<key>\` a value of a map.
`;

const TAIL = `
## In an editor

Editors that know JSON Schema complete the fields, show what each means and mark mistakes while you type. \`schema/${ALL}.json\` is for files with
documents of any kind, the others are for one kind each. With the YAML language server (the YAML extension of VS Code and others), a line at the top of a file is
enough:

\`\`\`yaml
# yaml-language-server: $schema=../docs/reference/schema/${ALL}.json
\`\`\`

or, for a whole folder, in \`.vscode/settings.json\`:

\`\`\`json
{"yaml.schemas": {"./docs/reference/schema/${ALL}.json": "rules/**/*.yaml"}}
\`\`\`

A schema sees one value at a time. What ties several together (weights, conflicting fields, names that must exist in the same document) is judged by
\`lateen validate -f FILE\`, which needs no mesh either.
`;
