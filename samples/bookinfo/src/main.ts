import { startBookinfo } from "./app.ts";
import { APP_NAMES, type AppName, parseBookinfoConfig } from "./config.ts";

const EXIT_FAILED = 1;
const EXIT_BAD_CONFIG = 64;

function isAppName(name: string | undefined): name is AppName {
  return (APP_NAMES as readonly (string | undefined)[]).includes(name);
}

function fail(text: string, exitCode: number): never {
  process.stderr.write(`${text}\n`);
  process.exit(exitCode);
}

const name = process.argv[2];
if (!isAppName(name)) fail(`usage: main.js <${APP_NAMES.join("|")}>`, EXIT_BAD_CONFIG);

try {
  const config = parseBookinfoConfig(process.env);
  const label = `${name} ${config.version}`;
  const app = await startBookinfo(name, config, (text) =>
    process.stderr.write(`${new Date().toISOString()} ${label}: ${text}\n`),
  ).catch((error: unknown) => fail(`${label}: ${error instanceof Error ? error.message : String(error)}`, EXIT_FAILED));
  const stop = () => {
    app.stop().then(
      () => process.exit(0),
      () => process.exit(EXIT_FAILED),
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  if (process.env["LATEEN_EXIT_WITH_PARENT"] === "1") {
    process.stdin.once("close", () => process.exit(0));
    process.stdin.resume();
  }
  process.stdout.write(`${JSON.stringify({ ready: true, ports: { http: app.port } })}\n`);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error), EXIT_BAD_CONFIG);
}
