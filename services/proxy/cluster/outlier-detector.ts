import type { Clock } from "../../../shared/base/index.ts";
import type { OutlierPolicy } from "./cluster-policy.ts";
import type { Host } from "./host.ts";

/**
 * Takes instances out that fail, on the evidence of real requests alone. Two detectors judge at each answer: so many 5xx
 * in a row, so many gateway failures (502, 503, 504) in a row; what never came to an answer counts as 503. A third
 * judges once an interval: a success rate far below that of the others (mean less a factor of the deviation), if there
 * are enough others and enough requests.
 *
 * An ejection ends by itself, looked at once an interval: after the base time, times the number of ejections in a row,
 * up to the longest. A quiet interval takes one ejection back from the count. It begins with no history, and never
 * ejects more than a share of the instances (but always may eject one), nor anyone while too few are healthy: then the
 * fault is not theirs.
 */
export interface OutlierRecord {
  consecutive5xx: number;
  consecutiveGatewayFailure: number;
  /** Of the interval. */
  requests: number;
  successes: number;
  ejections: number;
  ejectedAtMs: number;
}

export interface OutlierDetectorOptions {
  readonly policy: OutlierPolicy;
  readonly clock: Clock;
  hosts(): readonly Host[];
  /** Someone was ejected, or came back. */
  onChange(): void;
}

export class OutlierDetector {
  readonly #options: OutlierDetectorOptions;
  readonly #stop: () => void;

  constructor(options: OutlierDetectorOptions) {
    this.#options = options;
    this.#stop = options.clock.every(options.policy.intervalMs, () => this.#judge());
  }

  /** How a request to the host ended. What had no answer counts as 503, or as 504 when it took too long. */
  onStatus(host: Host, status: number): void {
    host.outlier ??= newRecord();
    const record = host.outlier;
    record.requests++;
    if (status < 500) {
      record.successes++;
      record.consecutive5xx = 0;
      record.consecutiveGatewayFailure = 0;
      return;
    }
    const { policy } = this.#options;
    record.consecutive5xx++;
    record.consecutiveGatewayFailure = isGatewayFailure(status) ? record.consecutiveGatewayFailure + 1 : 0;
    if (
      record.consecutive5xx >= policy.consecutive5xx ||
      record.consecutiveGatewayFailure >= policy.consecutiveGatewayFailure
    )
      this.#eject(host, record);
  }

  /** Everyone ejected comes back, and what was held against them is forgotten. */
  close(): void {
    this.#stop();
    for (const host of this.#options.hosts()) {
      host.ejected = false;
      host.outlier = undefined;
    }
  }

  #eject(host: Host, record: OutlierRecord): void {
    record.consecutive5xx = 0;
    record.consecutiveGatewayFailure = 0;
    if (host.ejected || !this.#mayEject()) return;
    record.ejections++;
    record.ejectedAtMs = this.#options.clock.monotonic();
    host.ejected = true;
    this.#options.onChange();
  }

  #mayEject(): boolean {
    const { policy } = this.#options;
    const hosts = this.#options.hosts();
    let ejected = 0;
    let available = 0;
    for (const host of hosts) {
      if (host.ejected) ejected++;
      if (host.available) available++;
    }
    if (available * 100 < policy.minHealthPercent * hosts.length) return false;
    return ejected === 0 || (ejected + 1) * 100 <= policy.maxEjectionPercent * hosts.length;
  }

  #judge(): void {
    let returned = false;
    for (const host of this.#options.hosts()) {
      const record = host.outlier;
      if (record === undefined) continue;
      if (host.ejected) returned = this.#release(host, record) || returned;
      else if (record.ejections > 0) record.ejections--;
    }
    if (returned) this.#options.onChange();
    if (this.#options.policy.successRateStdevFactor > 0) this.#judgeSuccessRates();
    for (const { outlier } of this.#options.hosts()) {
      if (outlier === undefined) continue;
      outlier.requests = 0;
      outlier.successes = 0;
    }
  }

  #release(host: Host, record: OutlierRecord): boolean {
    const { baseEjectionMs, maxEjectionMs } = this.#options.policy;
    const termMs = Math.min(maxEjectionMs, baseEjectionMs * record.ejections);
    if (this.#options.clock.monotonic() - record.ejectedAtMs < termMs) return false;
    host.ejected = false;
    return true;
  }

  #judgeSuccessRates(): void {
    const { successRateMinimumHosts, successRateRequestVolume, successRateStdevFactor } = this.#options.policy;
    const judged: { readonly host: Host; readonly record: OutlierRecord; readonly rate: number }[] = [];
    for (const host of this.#options.hosts()) {
      const record = host.outlier;
      if (record === undefined || host.ejected || record.requests < successRateRequestVolume) continue;
      judged.push({ host, record, rate: record.successes / record.requests });
    }
    if (judged.length < successRateMinimumHosts) return;
    const mean = judged.reduce((sum, { rate }) => sum + rate, 0) / judged.length;
    const variance = judged.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / judged.length;
    const threshold = mean - successRateStdevFactor * Math.sqrt(variance);
    for (const { host, record, rate } of judged) if (rate < threshold) this.#eject(host, record);
  }
}

function isGatewayFailure(status: number): boolean {
  return status >= 502 && status <= 504;
}

function newRecord(): OutlierRecord {
  return {
    consecutive5xx: 0,
    consecutiveGatewayFailure: 0,
    requests: 0,
    successes: 0,
    ejections: 0,
    ejectedAtMs: 0,
  };
}
