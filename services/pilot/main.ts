import { runProcess } from "../../shared/obs/index.ts";
import { buildPilot } from "./app.ts";
import { parsePilotConfig } from "./config.ts";

await runProcess({
  env: process.env,
  argv: process.argv.slice(2),
  parse: parsePilotConfig,
  build: (config) => buildPilot(config),
});
