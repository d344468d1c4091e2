import {
  BUS_SETTINGS,
  custom,
  durationMs,
  parseSettings,
  port,
  type SettingsTable,
  text,
  type Values,
} from "../../shared/config/index.ts";

const DAY_MS = 86_400_000;

export const CA_SETTINGS = {
  ...BUS_SETTINGS,
  trustDomain: custom(
    "trust domain",
    {
      env: "TRUST_DOMAIN",
      default: "cluster.local",
      doc: "First part of every SPIFFE id; fixed once the root is made.",
    },
    (raw) => {
      if (!/^[a-z0-9._-]{1,255}$/.test(raw))
        throw new Error(`is ${JSON.stringify(raw)}; use lower-case letters, digits, ".", "_" and "-"`);
      return raw;
    },
    String,
  ),
  certTtlMs: durationMs({
    env: "CERT_TTL_MS",
    default: DAY_MS,
    doc: "Life of a workload's certificate when its request names none.",
  }),
  maxCertTtlMs: durationMs({
    env: "MAX_CERT_TTL_MS",
    default: 90 * DAY_MS,
    doc: "A request for a longer life is refused.",
  }),
  rootTtlMs: durationMs({
    env: "ROOT_TTL_MS",
    default: 3650 * DAY_MS,
    doc: "Life of the root that is made at the first start.",
  }),
  replica: text({
    env: "REPLICA",
    default: "",
    doc: "Name of this replica, unique in the mesh. Default: host name and process id.",
  }),
  adminHost: text({ env: "ADMIN_HOST", default: "127.0.0.1", doc: "Address on which metrics and health are served." }),
  adminPort: port({ env: "ADMIN_PORT", default: 0, doc: "Port of metrics and health; 0 takes a free one." }),
} as const satisfies SettingsTable;

export type CaConfig = Values<typeof CA_SETTINGS>;

/** Throws ConfigError listing all faults. */
export function parseCaConfig(env: Readonly<Record<string, string | undefined>>, argv: readonly string[]): CaConfig {
  return parseSettings(CA_SETTINGS, env, argv);
}
