import { resolve } from "node:path";
import type { Clock } from "../../../shared/base/index.ts";
import type { Logger } from "../../../shared/obs/index.ts";
import type { AdapterParams, RedisQuotaParams, StdioParams } from "../../../shared/policy/index.ts";
import type { QuotaStore } from "../../../shared/store/index.ts";
import type { Handler } from "./adapter.ts";
import { BusHandler, type TelemetryOutput } from "./bus.ts";
import { DenierHandler } from "./denier.ts";
import { descriptorWriter, fileWriter, type LineWriter } from "./line-writer.ts";
import { ListCheckerHandler } from "./listchecker.ts";
import { MemQuotaHandler } from "./memquota.ts";
import type { MetricPool } from "./metric-pool.ts";
import { PrometheusHandler } from "./prometheus.ts";
import { RedisQuotaHandler } from "./redisquota.ts";
import { StdioHandler } from "./stdio.ts";

/** What is lost, by handler, is counted and not an error of anybody's request. */
export interface HandlerCounts {
  dropped(handler: string, requests: number): void;
  quotaFallback(handler: string, mode: string): void;
}

export interface FactoryOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly pool: MetricPool;
  readonly telemetry: TelemetryOutput;
  /** Lends a connection to the Redis of that address, or to this Mixer's own. */
  readonly openStore: (serverUrl: string | undefined) => { readonly store: QuotaStore; release(): void };
  readonly replicas: number;
  readonly counts: HandlerCounts;
}

/** Makes handlers; throws where one cannot be made. */
export function createHandlerFactory(options: FactoryOptions): (name: string, adapter: AdapterParams) => Handler {
  const { clock, log, pool, telemetry, counts } = options;
  return (name, adapter) => {
    switch (adapter.adapter) {
      case "denier":
        return new DenierHandler(name, adapter.params);
      case "listchecker":
        return new ListCheckerHandler(name, adapter.params, clock, log);
      case "memquota":
        return new MemQuotaHandler(name, adapter.params, clock);
      case "redisquota":
        return createRedisQuota(name, adapter.params, options);
      case "prometheus":
        return new PrometheusHandler(name, adapter.params, pool, (_metric, requests) => counts.dropped(name, requests));
      case "stdio":
        return new StdioHandler(name, adapter.params, createWriter(adapter.params, clock), () =>
          counts.dropped(name, 1),
        );
      case "bus":
        return new BusHandler(name, telemetry, () => counts.dropped(name, 1));
    }
  };
}

function createRedisQuota(name: string, params: RedisQuotaParams, options: FactoryOptions): Handler {
  const { store, release } = options.openStore(params.redisServerUrl);
  return new RedisQuotaHandler(name, params, {
    store,
    release,
    clock: options.clock,
    replicas: options.replicas,
    onFallback: (handler, mode) => options.counts.quotaFallback(handler, mode),
  });
}

const MEGABYTE = 1024 * 1024;
const DAY_MS = 86_400_000;

function createWriter(params: StdioParams, clock: Clock): LineWriter {
  if (params.logStream === "STDOUT") return descriptorWriter(1);
  if (params.logStream === "STDERR") return descriptorWriter(2);
  const path = resolve(params.outputPath ?? "");
  if (params.logStream === "FILE") return fileWriter(path, undefined, clock);
  const rotation = {
    maxBytes: params.maxMegabytesBeforeRotation * MEGABYTE,
    maxAgeMs: params.maxDaysBeforeRotation * DAY_MS,
    maxFiles: params.maxRotatedFiles,
  };
  return fileWriter(path, rotation, clock);
}
