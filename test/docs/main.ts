import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { PAGES } from "./pages.ts";
import { referenceFiles } from "./reference.ts";
import { fillSections } from "./sections.ts";

/** `npm run docs`: writes the made sections of the pages anew, and the files that are made as a whole. */
for (const [page, texts] of Object.entries(PAGES)) write(page, fillSections(read(page), texts));
for (const [file, text] of referenceFiles()) write(file, text);

function pathOf(page: string): string {
  return fileURLToPath(new URL(`../../../docs/${page}`, import.meta.url));
}

function read(page: string): string {
  return readFileSync(pathOf(page), "utf8");
}

function write(page: string, text: string): void {
  try {
    if (read(page) === text) return;
  } catch {
    mkdirSync(dirname(pathOf(page)), { recursive: true });
  }
  writeFileSync(pathOf(page), text);
  console.log(`written: docs/${page}`);
}
