import { CA_SETTINGS } from "../../services/ca/config.ts";
import { MIXER_SETTINGS } from "../../services/mixer/config.ts";
import { PILOT_SETTINGS } from "../../services/pilot/config.ts";
import { PROXY_SETTINGS } from "../../services/proxy/config.ts";
import { BUS_SETTINGS, type Setting, type SettingsTable } from "../../shared/config/index.ts";
import { code, table } from "./sections.ts";

/** Every process's own settings; `common` are those that all have. */
export const SETTINGS: Readonly<Record<string, readonly Setting<unknown>[]>> = {
  common: Object.values(BUS_SETTINGS),
  pilot: ownOf(PILOT_SETTINGS),
  mixer: ownOf(MIXER_SETTINGS),
  ca: ownOf(CA_SETTINGS),
  proxy: ownOf(PROXY_SETTINGS),
};

export function renderSettings(settings: readonly Setting<unknown>[]): string {
  return table(
    ["variable", "flag", "type", "default", "meaning"],
    settings.map(({ env, flag, type, defaultText, doc }) => [
      code(env),
      code(flag),
      type,
      showDefault(defaultText),
      doc,
    ]),
  );
}

function showDefault(text: string): string {
  return text === "required" || text === "none" ? text : code(text);
}

function ownOf(settings: SettingsTable): readonly Setting<unknown>[] {
  const common = new Set<string>(Object.values(BUS_SETTINGS).map(({ env }) => env));
  return Object.values(settings).filter(({ env }) => !common.has(env));
}
