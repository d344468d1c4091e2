import type { MeshSettings, SettingSource } from "../mesh-settings.ts";

/** Settings that the mesh may change, as they are in force; `from`: who has the word. */
export interface MeshView {
  readonly outbound_traffic_policy: { readonly mode: string; readonly from: SettingSource };
  readonly access_log: {
    /** "": there is none. */
    readonly file: string;
    readonly encoding: "TEXT" | "JSON";
    /** "": the default of that encoding. */
    readonly format: string;
    readonly from: SettingSource;
  };
  readonly tracing: {
    readonly enabled: boolean;
    readonly formats: readonly string[];
    /** Percent of new traces. */
    readonly sampling: number;
    readonly from: SettingSource;
  };
  /** Null: the application may call everything. */
  readonly scope: ScopeView | null;
}

export interface ScopeView {
  /** sidecar/<namespace>/<name>. */
  readonly rule: string;
  readonly revision: number;
  readonly labels: Readonly<Record<string, string>>;
  /** `<namespace>/<host>`. */
  readonly egress_hosts: readonly string[];
}

export function meshView(settings: MeshSettings): MeshView {
  const { accessLog, tracing, scope } = settings;
  return {
    outbound_traffic_policy: { mode: settings.outboundPolicy, from: settings.outboundPolicyFrom },
    access_log: {
      file: accessLog.file,
      encoding: accessLog.encoding === "text" ? "TEXT" : "JSON",
      format: accessLog.format,
      from: settings.accessLogFrom,
    },
    tracing: {
      enabled: tracing.formats.length > 0,
      formats: tracing.formats,
      sampling: tracing.samplingPercent,
      from: settings.tracingFrom,
    },
    scope:
      scope === undefined
        ? null
        : {
            rule: scope.config.rule,
            revision: scope.config.revision,
            labels: scope.config.labels,
            egress_hosts: scope.config.egressHosts.map(({ namespace, host }) => `${namespace}/${host}`),
          },
  };
}
