import type {
  DestinationRuleSpec,
  KindDefinition,
  MeshConfigSpec,
  VirtualServiceSpec,
} from "../../../shared/model/index.ts";
export const VIRTUAL_SERVICE = { kind: "VirtualService" } as KindDefinition<VirtualServiceSpec>;
export const DESTINATION_RULE = { kind: "DestinationRule" } as KindDefinition<DestinationRuleSpec>;
export const MESH_CONFIG = { kind: "MeshConfig" } as KindDefinition<MeshConfigSpec>;
