import { Command } from "commander";

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

/** Only for the help text: a component's flags are its own, so it is started before the command line is parsed. */
export function componentCommands(): Command[] {
  return Object.entries(COMPONENTS).map(([name, text]) =>
    new Command(name).description(`start a component: ${text}`).allowUnknownOption(),
  );
}

/**
 * Becomes the component: its main module reads the process's arguments, from which the component's name is taken out.
 * Nothing of a component is linked into the command line, so the module is found by its place.
 */
export async function startComponent(name: ComponentName): Promise<void> {
  process.argv.splice(2, 1);
  await import(new URL(`../../services/${name}/main.js`, import.meta.url).href);
}
