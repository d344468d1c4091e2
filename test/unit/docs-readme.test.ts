import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runLateen } from "../harness/cli.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const pages = [
  "README.md",
  "samples/bookinfo/README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];
const texts = new Map(pages.map((page) => [page, readFileSync(join(root, page), "utf8")]));

/** `page: word` for every match whose word is not good. */
function strays(pattern: RegExp, isGood: (word: string, page: string) => boolean): string[] {
  return [...texts].flatMap(([page, text]) =>
    [...text.matchAll(pattern)].flatMap(([, word = ""]) => (isGood(word, page) ? [] : [`${page}: ${word}`])),
  );
}

test("the npm scripts that the pages name exist in package.json", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
  assert.deepEqual(
    strays(/\bnpm run ([a-z:]+)/g, (script) => Object.hasOwn(scripts, script)),
    [],
  );
  for (const script of ["demo", "test"]) assert.ok(Object.hasOwn(scripts, script));
});

test("the lateen commands that the pages show exist", async () => {
  const help = await runLateen(["--help"], { cwd: root });
  assert.equal(help.code, 0);
  const commands = new Set([...help.out.matchAll(/^ {2}([a-z|-]+)/gm)].flatMap(([, names = ""]) => names.split("|")));
  assert.ok(commands.has("apply") && commands.has("pilot"), help.out);
  const shown = /(?:^|`|npx |[A-Z/a-z0-9.-] )(?:lateen) ([a-z][a-z-]+)(?= |`|$)/gm;
  assert.deepEqual(
    strays(shown, (command) => commands.has(command)),
    [],
  );
});

test("the files and pages that the pages link to exist", () => {
  const isThere = (target: string, page: string) =>
    /^[a-z]+:/.test(target) || existsSync(join(root, dirname(page), target.replace(/#.*$/, "")));
  assert.deepEqual(strays(/\]\(([^)#\s][^)\s]*)\)/g, isThere), []);
});

test("the rule files that the pages name exist", () => {
  assert.deepEqual(
    strays(/(samples\/bookinfo\/rules\/[a-z0-9-]+\.yaml)/g, (file) => existsSync(join(root, file))),
    [],
  );
});
