import type { Template } from "./instances.ts";

/** The kinds of handlers. */
export const ADAPTERS = ["denier", "listchecker", "memquota", "redisquota", "prometheus", "stdio", "bus"] as const;
export type Adapter = (typeof ADAPTERS)[number];

/** Which instances an adapter takes. */
export const TEMPLATES_OF: Readonly<Record<Adapter, readonly Template[]>> = {
  denier: ["checknothing", "listentry", "quota"],
  listchecker: ["listentry"],
  memquota: ["quota"],
  redisquota: ["quota"],
  prometheus: ["metric"],
  stdio: ["logentry", "metric"],
  bus: ["metric", "logentry"],
};

export interface DenierParams {
  /** What every check answers: gRPC code (default 9) and message. */
  readonly status: { readonly code: number; readonly message: string };
  /** Default 5000. */
  readonly validDurationMs: number;
  /** Default 1000. */
  readonly validUseCount: number;
}

export type ListEntryType = "STRINGS" | "CASE_INSENSITIVE_STRINGS" | "IP_ADDRESSES" | "REGEX";

export interface ListCheckerParams {
  /** Where the list is fetched from; undefined: only the overrides count. */
  readonly providerUrl: string | undefined;
  /** Default 60000. */
  readonly refreshIntervalMs: number;
  /** How long a list that cannot be fetched again stays in use; default 300000. */
  readonly ttlMs: number;
  /** How long an answer may be used again; default 300000. */
  readonly cachingIntervalMs: number;
  /** Default 10000. */
  readonly cachingUseCount: number;
  /** Entries besides those fetched. */
  readonly overrides: readonly string[];
  readonly entryType: ListEntryType;
  /** Refuse what is in the list instead of what is not. */
  readonly blacklist: boolean;
}

export interface QuotaOverrideParams {
  readonly dimensions: Readonly<Record<string, string>>;
  readonly maxAmount: number;
  /** Undefined: that of the quota. */
  readonly validDurationMs?: number | undefined;
}

export interface MemQuotaLimitParams {
  /** `name.quota.namespace` of the instance. */
  readonly name: string;
  readonly maxAmount: number;
  /** 0: a plain counter that never refills by itself. */
  readonly validDurationMs: number;
  readonly overrides: readonly QuotaOverrideParams[];
}

export interface MemQuotaParams {
  readonly quotas: readonly MemQuotaLimitParams[];
  /** Default 1000. */
  readonly minDeduplicationDurationMs: number;
}

export interface RedisQuotaLimitParams {
  /** `name.quota.namespace` of the instance. */
  readonly name: string;
  readonly maxAmount: number;
  readonly validDurationMs: number;
  /** How finely a rolling window forgets; 0 for a fixed one. */
  readonly bucketDurationMs: number;
  readonly rateLimitAlgorithm: "FIXED_WINDOW" | "ROLLING_WINDOW";
  readonly overrides: readonly QuotaOverrideParams[];
}

export interface RedisQuotaParams {
  readonly quotas: readonly RedisQuotaLimitParams[];
  /** `host:port` or a redis URL; undefined: the Redis of this Mixer. */
  readonly redisServerUrl: string | undefined;
  /** Without Redis: grant everything, refuse everything, or count a share of the limit in memory; default open. */
  readonly onError: "open" | "closed" | "local";
}

export interface PrometheusMetricParams {
  /** Base of the exposed name; the instance's name when empty. */
  readonly name: string;
  /** `name.metric.namespace` of the instance. */
  readonly instanceName: string;
  readonly description: string;
  readonly kind: "GAUGE" | "COUNTER" | "DISTRIBUTION";
  /** Of a distribution: its bounds, ascending, in the exposed unit; undefined: the usual ones. */
  readonly bounds: readonly number[] | undefined;
  readonly labelNames: readonly string[];
}

export interface PrometheusParams {
  readonly metrics: readonly PrometheusMetricParams[];
}

export type LogLevel = "INFO" | "WARNING" | "ERROR";

export interface StdioParams {
  readonly logStream: "STDOUT" | "STDERR" | "FILE" | "ROTATED_FILE";
  /** Level of each severity; others are INFO. */
  readonly severityLevels: Readonly<Record<string, LogLevel>>;
  readonly metricLevel: LogLevel;
  readonly outputAsJson: boolean;
  /** What is below is not written. */
  readonly outputLevel: LogLevel;
  /** Of FILE and ROTATED_FILE. */
  readonly outputPath: string | undefined;
  readonly maxMegabytesBeforeRotation: number;
  readonly maxDaysBeforeRotation: number;
  readonly maxRotatedFiles: number;
}

/** Publishes to `telemetry.<metric|log>`, by template; there is nothing to set. */
export type BusParams = Readonly<Record<string, never>>;

export type AdapterParams =
  | { readonly adapter: "denier"; readonly params: DenierParams }
  | { readonly adapter: "listchecker"; readonly params: ListCheckerParams }
  | { readonly adapter: "memquota"; readonly params: MemQuotaParams }
  | { readonly adapter: "redisquota"; readonly params: RedisQuotaParams }
  | { readonly adapter: "prometheus"; readonly params: PrometheusParams }
  | { readonly adapter: "stdio"; readonly params: StdioParams }
  | { readonly adapter: "bus"; readonly params: BusParams };
