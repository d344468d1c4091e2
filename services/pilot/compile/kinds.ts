import type {
  EgressRuleSpec,
  GatewaySpec,
  KindDefinition,
  MeshConfigSpec,
  ServiceEntrySpec,
  SidecarSpec,
  WorkloadEntrySpec,
} from "../../../shared/model/index.ts";

const named = <T>(kind: string): KindDefinition<T> => ({ kind }) as KindDefinition<T>;
export const SERVICE_ENTRY = named<ServiceEntrySpec>("ServiceEntry");
export const WORKLOAD_ENTRY = named<WorkloadEntrySpec>("WorkloadEntry");
export const EGRESS_RULE = named<EgressRuleSpec>("EgressRule");
export const GATEWAY = named<GatewaySpec>("Gateway");
export const SIDECAR = named<SidecarSpec>("Sidecar");
export const MESH_CONFIG = named<MeshConfigSpec>("MeshConfig");
