#!/usr/bin/env node
// The command line. It is compiled code; without it, say how to get it.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const main = join(dirname(fileURLToPath(import.meta.url)), "../dist/cli/main.js");
if (existsSync(main)) {
  await import(pathToFileURL(main).href);
} else {
  process.stderr.write("lateen is not built yet; run: npm ci && npm run build\n");
  process.exitCode = 1;
}
