import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PAGES } from "./pages.ts";
import { fillSections } from "./sections.ts";

/** `npm run docs`: writes the made sections of the pages anew. */
for (const [page, texts] of Object.entries(PAGES)) {
  const file = fileURLToPath(new URL(`../../../docs/${page}`, import.meta.url));
  const before = readFileSync(file, "utf8");
  const after = fillSections(before, texts);
  if (after === before) continue;
  writeFileSync(file, after);
  console.log(`written: docs/${page}`);
}
