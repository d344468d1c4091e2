import type { MeshConfigSpec } from "../../../shared/model/index.ts";

/** What the MeshConfig of the root namespace says about routes and policies that do not say it themselves. */
export interface MeshDefaults {
  /** Undefined: nobody has said anything. */
  spec: MeshConfigSpec | undefined;
}

/** The rule that they are known by. */
export const MESH_RULE = "meshconfig/istio-system/default";
