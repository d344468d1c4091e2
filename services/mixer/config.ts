import {
  BUS_SETTINGS,
  bool,
  durationMs,
  integer,
  parseSettings,
  port,
  type SettingsTable,
  text,
  url,
  type Values,
} from "../../shared/config/index.ts";

/** Every setting of a Mixer. */
export const MIXER_SETTINGS = {
  ...BUS_SETTINGS,
  replica: text({
    env: "REPLICA",
    default: "",
    doc: "Name of this replica, unique in the mesh. Default: host name and process id.",
  }),
  redisUrl: url({
    env: "REDIS_URL",
    default: "redis://127.0.0.1:6379",
    protocols: ["redis:", "rediss:"],
    doc: "Redis that holds the counters of redisquota handlers that name no other.",
  }),
  redisTimeoutMs: durationMs({
    env: "REDIS_TIMEOUT_MS",
    default: 40,
    doc: "Without an answer of Redis for this long, a quota follows its handler's onError.",
  }),
  checkWaitMs: durationMs({
    env: "CHECK_WAIT_MS",
    default: 100,
    doc: "How long a check waits for the configuration that the proxy's plan was made from.",
  }),
  failOpen: bool({
    env: "MIXER_FAIL_OPEN",
    default: true,
    doc: "Whether proxies let requests pass when no Mixer answers; part of every plan.",
  }),
  replicas: integer({
    env: "MIXER_REPLICAS",
    default: 2,
    min: 1,
    doc: "How many Mixers there are: what a redisquota with onError local divides its limits by while Redis is away.",
  }),
  maxSeries: integer({
    env: "METRICS_MAX_SERIES",
    default: 10_000,
    min: 1,
    doc: "Label sets kept per metric of a prometheus handler; requests of further ones are dropped and counted.",
  }),
  adminHost: text({ env: "ADMIN_HOST", default: "127.0.0.1", doc: "Address on which metrics and health are served." }),
  metricsPort: port({
    env: "METRICS_PORT",
    default: 42_422,
    doc: "Port of /metrics (with those of the prometheus handlers), /healthz and /readyz; 0 takes a free one.",
  }),
} as const satisfies SettingsTable;

export type MixerConfig = Values<typeof MIXER_SETTINGS>;

/** Throws one ConfigError that lists every fault. */
export function parseMixerConfig(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): MixerConfig {
  return parseSettings(MIXER_SETTINGS, env, argv);
}
