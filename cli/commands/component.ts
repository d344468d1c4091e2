import { fileURLToPath } from "node:url";
import type { Setting } from "../../shared/config/index.ts";
import type { CommandDefinition } from "../command.ts";

/** What each component is; it takes its own settings, as flags or environment variables. */
export const COMPONENTS = {
  pilot: "configuration store, registry and compiler",
  mixer: "policy and telemetry",
  ca: "certificate authority",
  proxy: "sidecar or gateway",
} as const;

export type ComponentName = keyof typeof COMPONENTS;

export function isComponent(name: string | undefined): name is ComponentName {
  return name !== undefined && Object.hasOwn(COMPONENTS, name);
}

/** Only for help and completion: a component's flags are its own, so it is started before the command line is parsed. */
export const COMPONENT_COMMANDS: readonly CommandDefinition[] = Object.entries(COMPONENTS).map(([name, text]) => ({
  name,
  group: "Components",
  summary: `start a component: ${text}`,
  about: `Starts a component: ${text}. Each setting is a flag and an environment variable (docs/config.md).`,
  examples: [
    { what: "Start it", line: `lateen ${name} --nats-url nats://127.0.0.1:4222` },
    { what: "Every setting", line: `lateen ${name} --help` },
  ],
  exitCodes: {
    0: "drained after SIGTERM or SIGINT",
    1: "failed to start",
    64: "wrong settings",
    70: "the drain deadline was exceeded",
  },
  define: (command) => void command.allowUnknownOption().allowExcessArguments(),
}));

/**
 * Becomes the component, as if its main module had been started with the rest of the arguments. Nothing of a component
 * is linked into the command line, so the module is found by its place.
 */
export async function startComponent(name: ComponentName): Promise<void> {
  const main = new URL(`../../services/${name}/main.js`, import.meta.url);
  process.argv.splice(1, 2, fileURLToPath(main));
  await import(main.href);
}

/** All settings of a component, which its configuration module exports as a table. */
export async function componentHelp(name: ComponentName): Promise<string> {
  const module = (await import(new URL(`../../services/${name}/config.js`, import.meta.url).href)) as object;
  const settings = Object.entries(module).find(([exported]) => exported.endsWith("_SETTINGS"))?.[1] as object;
  const lines = Object.values(settings).map(({ flag, env, type, defaultText, doc }: Setting<unknown>) => {
    const byDefault = defaultText === "required" ? "required" : `default: ${defaultText}`;
    return `  ${flag} <${type}>  (${env}; ${byDefault})\n      ${doc}`;
  });
  return [
    `Usage: lateen ${name} [settings]`,
    "",
    `Starts a component: ${COMPONENTS[name]}. Each setting is a flag and an environment variable.`,
    "",
    ...lines,
  ].join("\n");
}
