import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ERROR_CODES } from "../../shared/base/index.ts";
import { parseSubmission } from "../../shared/model/documents.ts";
import { PAGES } from "../docs/pages.ts";
import { exampleOf, referenceFiles } from "../docs/reference.ts";
import { readSections } from "../docs/sections.ts";
import { SETTINGS } from "../docs/settings-tables.ts";
import { KINDS } from "../kinds/specimens.ts";

const readPage = (page: string) => readFileSync(new URL(`../../../docs/${page}`, import.meta.url), "utf8");

/** Words in code marks that look like a name of `shape`. */
function marked(text: string, shape: RegExp): Set<string> {
  const words = [...text.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word.replace(/[=: ].*$/, ""));
  return new Set(words.filter((word) => shape.test(word)));
}

for (const [page, texts] of Object.entries(PAGES)) {
  test(`the tables of docs/${page} are those that the code gives (npm run docs)`, () => {
    const sections = readSections(readPage(page));
    assert.deepEqual([...sections.keys()].sort(), [...texts.keys()].sort());
    for (const [name, text] of texts) assert.equal(sections.get(name), text, `section ${name} is out of date`);
  });
}

test("docs/reference/ is what the schemas give (npm run docs), and nothing else", () => {
  const files = referenceFiles();
  for (const [file, text] of files) assert.equal(readPage(file), text, `docs/${file} is out of date`);
  const found = readdirSync(new URL("../../../docs/reference/", import.meta.url), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:md|json)$/.test(name))
    .map((name) => `reference/${name}`);
  assert.deepEqual(found.sort(), [...files.keys()].sort());
});

test("the example of every kind is valid, and is of that kind", () => {
  for (const definition of KINDS.definitions) {
    const documents = parseSubmission(exampleOf(definition), KINDS);
    assert.deepEqual(
      documents.map(({ kind, ok }) => ({ kind, ok })),
      [{ kind: definition.kind, ok: true }],
    );
  }
});

test("docs/config.md names no setting that no process has", () => {
  const known = new Set(Object.values(SETTINGS).flatMap((settings) => settings.map(({ env }) => env)));
  const notSettings = ["LATEEN_EXIT_WITH_PARENT", "LATEEN_CONTEXT", "LATEEN_CONTEXT_FILE", "NO_COLOR"];
  for (const name of notSettings) known.add(name);
  const named = marked(readPage("config.md"), /^[A-Z]+(_[A-Z]+)+$/);
  for (const value of ["ALLOW_ANY", "REGISTRY_ONLY"]) named.delete(value);
  assert.deepEqual([...named].filter((name) => !known.has(name)).sort(), []);
});

test("docs/errors.md explains every error code and no other", () => {
  const lines = readPage("errors.md").split("\n");
  const explained = lines.flatMap((line) => /^\| `(ERR_MESH_[A-Z_]+)` \| [a-z]/.exec(line)?.[1] ?? []);
  assert.deepEqual(explained.sort(), Object.keys(ERROR_CODES).sort());
  const named = lines.flatMap((line) => line.match(/ERR_MESH_[A-Z_]+/g) ?? []);
  assert.deepEqual(
    named.filter((name) => !Object.hasOwn(ERROR_CODES, name)),
    [],
  );
});
