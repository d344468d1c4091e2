import { pathToFileURL } from "node:url";
import { runProcess } from "../../shared/obs/index.ts";
import { buildProxy } from "./app.ts";
import { parseProxyConfig } from "./config.ts";

/** Runs a sidecar or gateway until it is told to end. */
export function main(argv: readonly string[]): Promise<void> {
  return runProcess({
    env: process.env,
    argv,
    parse: parseProxyConfig,
    build: (config) => buildProxy(config, { environment: process.env }),
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(process.argv.slice(2));
}
