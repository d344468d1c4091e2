import { BUS_SETTINGS, durationMs, parseSettings, port, text, type Values } from "../../shared/config/index.ts";

/** Every setting of a Pilot. */
export const PILOT_SETTINGS = {
  ...BUS_SETTINGS,
  replica: text({
    env: "REPLICA",
    default: "",
    doc: "Name of this replica, unique in the mesh. Default: host name and process id.",
  }),
  leaseMs: durationMs({
    env: "LEASE_MS",
    default: 15_000,
    doc: "An instance is gone when it has not been heard of for this long.",
  }),
  serviceLingerMs: durationMs({
    env: "SERVICE_LINGER_MS",
    default: 600_000,
    doc: "A service without instances stays known for this long: its callers get 503, not 404.",
  }),
  adminHost: text({ env: "ADMIN_HOST", default: "127.0.0.1", doc: "Address on which metrics and health are served." }),
  adminPort: port({ env: "ADMIN_PORT", default: 0, doc: "Port of metrics and health; 0 takes a free one." }),
  defaultConfigFile: text({
    env: "DEFAULT_CONFIG_FILE",
    default: "shared/policy/defaults.yaml",
    doc: "Resources installed at the very first start of a mesh; a relative path is looked up in the package.",
  }),
} as const;

export type PilotConfig = Values<typeof PILOT_SETTINGS>;

/** Throws one ConfigError that lists every fault. */
export function parsePilotConfig(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): PilotConfig {
  return parseSettings(PILOT_SETTINGS, env, argv);
}
