import { type Clock, errorMessage } from "../../shared/base/index.ts";
import { AccessLogSwitch } from "./access-log-switch.ts";
import type { ProxyConfig } from "./config.ts";
import type { WorkloadTold } from "./mesh/workload-book.ts";
import { limitsInForce, type MeshSettings, observationInForce } from "./mesh-settings.ts";
import { Tracer } from "./trace/tracer.ts";

/** The settings that may change while requests go on, and whatever obeys them. Sockets and connections are no part of them. */
export class RuntimeSettings {
  readonly tracer: Tracer;
  readonly accessLog: AccessLogSwitch;
  readonly #start: ProxyConfig;
  #current: MeshSettings;

  /** In force as the proxy was started. Throws when the access log cannot be opened. */
  constructor(start: ProxyConfig, clock: Clock) {
    this.#start = start;
    const untold = { mesh: undefined, scope: undefined };
    this.#current = { ...limitsInForce(start, untold), ...observationInForce(start, untold) };
    this.accessLog = new AccessLogSwitch(clock);
    this.accessLog.use(this.#current.accessLog);
    this.tracer = new Tracer(this.#current.tracing);
  }

  /** One object until something changes. */
  get current(): MeshSettings {
    return this.#current;
  }

  /**
   * What limits the application comes into force even where the rest cannot: a log that cannot be written is no reason to
   * let out what must stay in. Returns why log and tracing stay as they were; undefined when all is in force. Throws on
   * limits that are none: then nothing changes.
   */
  adopt(told: WorkloadTold): string | undefined {
    const limits = limitsInForce(this.#start, told, this.#current);
    this.#current = { ...this.#current, ...limits };
    try {
      const observation = observationInForce(this.#start, told);
      this.accessLog.use(observation.accessLog);
      this.tracer.use(observation.tracing);
      this.#current = { ...limits, ...observation };
      return undefined;
    } catch (error) {
      return errorMessage(error);
    }
  }

  close(): void {
    this.accessLog.close();
  }
}
