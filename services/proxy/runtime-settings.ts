import type { Clock } from "../../shared/base/index.ts";
import { AccessLogSwitch } from "./access-log-switch.ts";
import type { ProxyConfig } from "./config.ts";
import type { WorkloadTold } from "./mesh/workload-book.ts";
import { type MeshSettings, settingsInForce } from "./mesh-settings.ts";
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
    this.#current = settingsInForce(start, { mesh: undefined, scope: undefined });
    this.accessLog = new AccessLogSwitch(clock);
    this.accessLog.use(this.#current.accessLog);
    this.tracer = new Tracer(this.#current.tracing);
  }

  /** One object until something changes. */
  get current(): MeshSettings {
    return this.#current;
  }

  /** All of it or, when it throws, nothing. */
  adopt(told: WorkloadTold): void {
    const next = settingsInForce(this.#start, told, this.#current);
    this.accessLog.use(next.accessLog);
    this.tracer.use(next.tracing);
    this.#current = next;
  }

  close(): void {
    this.accessLog.close();
  }
}
