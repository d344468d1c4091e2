import type { MeshConfigSpec } from "../../../shared/model/index.ts";

/** What the MeshConfig of the root namespace says about routes and policies that do not say it themselves. */
export interface MeshDefaults {
  /** Undefined: nobody has said anything. */
  spec: MeshConfigSpec | undefined;
}

/** The rule that they are known by. */
export const MESH_RULE = "meshconfig/istio-system/default";

/** One text per what compiled values have in them; the rest is told to the proxies, who see to it themselves. */
export function compiledPart(spec: MeshConfigSpec | undefined): string {
  if (spec === undefined) return "{}";
  const {
    outboundTrafficPolicy: _outbound,
    accessLogFile: _file,
    accessLogFormat: _format,
    accessLogEncoding: _encoding,
    enableTracing: _tracing,
    tracingSampling: _sampling,
    ...compiled
  } = spec;
  return JSON.stringify(compiled);
}
