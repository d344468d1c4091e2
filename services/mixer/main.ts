import { runProcess } from "../../shared/obs/index.ts";
import { buildMixer } from "./app.ts";
import { parseMixerConfig } from "./config.ts";

await runProcess({
  env: process.env,
  argv: process.argv.slice(2),
  parse: parseMixerConfig,
  build: (config) => buildMixer(config),
});
