import { resolve, sep } from "node:path";
import { isStandardStream } from "./access-log.ts";
import type { AccessLogTarget } from "./access-log-switch.ts";
import type { ProxyConfig } from "./config.ts";
import { EgressScope } from "./mesh/egress-scope.ts";
import type { WorkloadTold } from "./mesh/workload-book.ts";
import type { TraceSettings } from "./trace/tracer.ts";

export type OutboundPolicy = ProxyConfig["outboundPolicy"];

/** Who has the word about a setting: the proxy's start, the mesh, or the scope of its workload. */
export type SettingSource = "start" | "mesh" | "scope";

/** What the application may call. */
export interface OutboundLimits {
  readonly outboundPolicy: OutboundPolicy;
  readonly outboundPolicyFrom: SettingSource;
  /** Undefined: the application may call everything. */
  readonly scope: EgressScope | undefined;
}

/** What is told of its requests. */
export interface ObservationSettings {
  readonly accessLog: AccessLogTarget;
  readonly accessLogFrom: SettingSource;
  readonly tracing: TraceSettings;
  readonly tracingFrom: SettingSource;
}

/** The settings that the mesh may change in a running proxy, as they are in force. Immutable: a change makes a new one. */
export type MeshSettings = OutboundLimits & ObservationSettings;

const DEFAULT_TRACE_FORMATS: TraceSettings["formats"] = ["w3c"];

/** The scope has the last word, then the mesh, then the settings that the proxy was started with. Throws on a word that is none. */
export function limitsInForce(
  start: ProxyConfig,
  { mesh, scope }: WorkloadTold,
  before?: OutboundLimits,
): OutboundLimits {
  return {
    ...outboundPolicy(start, mesh?.outboundTrafficPolicy, scope?.outboundTrafficPolicy),
    scope: scopeOf(start, scope, before?.scope),
  };
}

/** The mesh has the last word. Throws on what this proxy cannot do. */
export function observationInForce(start: ProxyConfig, { mesh }: Pick<WorkloadTold, "mesh">): ObservationSettings {
  const { accessLogFile, accessLogFormat, accessLogEncoding, tracing, tracingSampling } = mesh ?? {};
  const isSet = (...values: unknown[]): SettingSource =>
    values.some((value) => value !== undefined && value !== null) ? "mesh" : "start";
  return {
    accessLog: {
      file: accessLogFile ? permittedLogFile(accessLogFile, start) : (accessLogFile ?? start.accessLog),
      // Who writes a format and says no more means text (Istio).
      encoding: encodingOf(accessLogEncoding) ?? (accessLogFormat ? "text" : start.accessLogFormat),
      format: accessLogFormat ?? "",
    },
    accessLogFrom: isSet(accessLogFile, accessLogFormat, accessLogEncoding),
    tracing: {
      formats: traceFormats(start, tracing ?? undefined),
      samplingPercent: tracingSampling ?? start.traceSamplingPercent,
    },
    tracingFrom: isSet(tracing, tracingSampling),
  };
}

/**
 * Who may configure the mesh may not therefore write to any file of any proxy's machine: a file is named within the
 * folder that the proxy was started with, or not at all. Throws with the remedy.
 */
function permittedLogFile(file: string, { accessLog, accessLogDir }: ProxyConfig): string {
  if (isStandardStream(file) || file === accessLog) return file;
  if (accessLogDir === "")
    throw new Error(
      `access log ${file}: this proxy was started without ACCESS_LOG_DIR; name /dev/stdout or /dev/stderr`,
    );
  if (resolve(file) === file && file.startsWith(`${resolve(accessLogDir).replace(/\/$/, "")}${sep}`)) return file;
  throw new Error(`access log ${file} is not within ${accessLogDir}, the ACCESS_LOG_DIR of this proxy`);
}

function outboundPolicy(
  start: ProxyConfig,
  mesh: string | null | undefined,
  scope: string | null | undefined,
): Pick<MeshSettings, "outboundPolicy" | "outboundPolicyFrom"> {
  const told = scope || mesh;
  if (!told) return { outboundPolicy: start.outboundPolicy, outboundPolicyFrom: "start" };
  if (told !== "ALLOW_ANY" && told !== "REGISTRY_ONLY") throw new Error(`outbound traffic policy ${told} is unknown`);
  return { outboundPolicy: told, outboundPolicyFrom: scope ? "scope" : "mesh" };
}

/** What a gateway sends on is said by its own routes. A scope that did not change stays the same object. */
function scopeOf(
  { mode }: ProxyConfig,
  scope: WorkloadTold["scope"],
  before: EgressScope | undefined,
): EgressScope | undefined {
  if (mode === "gateway" || scope === undefined || scope.egressHosts.length === 0) return undefined;
  if (before !== undefined && JSON.stringify(before.config) === JSON.stringify(scope)) return before;
  return new EgressScope(scope);
}

function encodingOf(told: string | null | undefined): AccessLogTarget["encoding"] | undefined {
  switch (told) {
    case undefined:
    case null:
    case "":
      return undefined;
    case "TEXT":
      return "text";
    case "JSON":
      return "json";
    default:
      throw new Error(`access log encoding ${told} is unknown`);
  }
}

/** To be traced where the proxy was started without any format means W3C's. */
function traceFormats({ traceFormats }: ProxyConfig, isOn: boolean | undefined): TraceSettings["formats"] {
  if (isOn === false) return [];
  return isOn === true && traceFormats.length === 0 ? DEFAULT_TRACE_FORMATS : traceFormats;
}
