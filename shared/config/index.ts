export { BUS_SETTINGS } from "./bus-settings.ts";
export {
  bool,
  custom,
  durationMs,
  integer,
  labels,
  list,
  oneOf,
  parseSettings,
  port,
  type Setting,
  type SettingsTable,
  text,
  url,
  type Values,
} from "./settings.ts";
