import { DEFAULT_LIMITS } from "../../services/proxy/cluster/circuit-breaker.ts";
import type { PolicyExplained } from "./explanation.ts";

/** How a limit is said; `{}` is its value. */
const LIMITS: Readonly<Record<string, string>> = {
  maxConnections: "at most {} connections",
  maxPending: "at most {} requests that wait for one",
  maxRequests: "at most {} requests at once",
  maxRetries: "at most {} retries at once",
  maxRequestsPerConnection: "at most {} requests a connection",
  idleTimeoutMs: "idle connections closed after {}",
  connectTimeoutMs: "connecting takes at most {}",
  tcpKeepaliveMs: "TCP keepalive every {}",
  maxConnectionDurationMs: "connections replaced after {}",
};

/** A policy in words: what is as the proxy has it anyway goes without saying. */
export function policyLines({ rule, loadBalancing, limits, outlierDetection }: PolicyExplained): string[] {
  const lines = [`balancing ${loadBalancing} by ${rule === "" ? "the proxy's defaults" : rule}`];
  const defaults: Readonly<Record<string, unknown>> = { ...DEFAULT_LIMITS };
  const set = Object.entries(limits).filter(([name, value]) => value !== defaults[name]);
  if (set.length > 0) lines.push(set.map(([name, value]) => limitText(name, value)).join(", "));
  if (Object.keys(outlierDetection).length > 0) lines.push(ejectionText(outlierDetection));
  return lines;
}

function limitText(name: string, value: number): string {
  const text = name.endsWith("Ms") ? seconds(value) : String(value);
  return LIMITS[name]?.replace("{}", text) ?? `${name} ${text}`;
}

function ejectionText(outlier: Readonly<Record<string, number>>): string {
  const { consecutive5xx, consecutiveGatewayFailure, successRateStdevFactor = 0 } = outlier;
  const when = [
    ...(consecutive5xx === undefined ? [] : [`${consecutive5xx} answers 5xx in a row`]),
    ...(consecutiveGatewayFailure === undefined ? [] : [`${consecutiveGatewayFailure} gateway failures in a row`]),
    ...(successRateStdevFactor > 0 ? ["a success rate far below the others'"] : []),
  ];
  const { baseEjectionMs = 0, maxEjectionPercent = 0 } = outlier;
  return `instances left out for ${seconds(baseEjectionMs)} after ${when.join(" or ")}, at most ${percent(maxEjectionPercent)} of them`;
}

export function percent(share: number): string {
  return `${Number(share.toFixed(2))} %`;
}

export function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
