// `npm run bench -- <name>`: set-up, build, then dist/bench/<name>/main.js in this very process.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.js";
import { root, setup } from "./setup.js";

const name = process.argv[2];
const known = readdirSync(join(root, "bench"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(root, "bench", entry.name, "main.ts")))
  .map((entry) => entry.name);
if (name === undefined || !known.includes(name)) {
  console.error(`usage: npm run bench -- <name>; benches: ${known.join(", ")}`);
  process.exit(64);
}
setup();
build();
process.setSourceMapsEnabled(true);
process.argv.splice(2, 1);
await import(`../dist/bench/${name}/main.js`);
