import { runProcess } from "../../shared/obs/index.ts";
import { buildCa } from "./app.ts";
import { parseCaConfig } from "./config.ts";

await runProcess({ env: process.env, argv: process.argv.slice(2), parse: parseCaConfig, build: buildCa });
