export {
  ATTRIBUTES,
  type AttributeReference,
  type AttributeValue,
  attributeType,
  formatReference,
  fromWireAttribute,
  parseReference,
  referenceType,
  toWireAttribute,
  VALUE_TYPES,
  type ValueType,
} from "./attributes.ts";
export { closest } from "./closest.ts";
export { defineKind } from "./define-kind.ts";
export { formatDuration, parseAnyDuration, parseDuration } from "./duration.ts";
export { foreignKind, isPlatformVersion } from "./foreign-kinds.ts";
export {
  clusterService,
  DOMAIN,
  isDnsLabel,
  isFqdn,
  isIpv4,
  isIpv4Cidr,
  isWildcardDomain,
  resolveHost,
  type ServiceName,
  serviceHost,
} from "./hosts.ts";
export { descriptionOf, jsonSchemaOf, jsonSchemaOfAll } from "./json-schema.ts";
export type { KindClass, KindDefinition, ParsedResource, SpecContext, SpecResult } from "./kind.ts";
export { DESTINATION_POLICY } from "./kinds/destination-policy.ts";
export { DESTINATION_RULE } from "./kinds/destination-rule.ts";
export { EGRESS_RULE } from "./kinds/egress-rule.ts";
export { GATEWAY } from "./kinds/gateway.ts";
export { INGRESS_RULE } from "./kinds/ingress-rule.ts";
export { MESH_CONFIG } from "./kinds/mesh-config.ts";
export { formatMixerRef, MIXER_RULE } from "./kinds/mixer-rule.ts";
export { OPEN_KINDS } from "./kinds/open.ts";
export { PROXY_CONFIG } from "./kinds/proxy-config.ts";
export { QUOTA_SPEC } from "./kinds/quota-spec.ts";
export { QUOTA_SPEC_BINDING } from "./kinds/quota-spec-binding.ts";
export { ROUTE_RULE } from "./kinds/route-rule.ts";
export { SERVICE_ENTRY } from "./kinds/service-entry.ts";
export { SIDECAR } from "./kinds/sidecar.ts";
export { VIRTUAL_SERVICE } from "./kinds/virtual-service.ts";
export { WORKLOAD_ENTRY } from "./kinds/workload-entry.ts";
export { WORKLOAD_GROUP } from "./kinds/workload-group.ts";
export {
  LOG_OPERATORS,
  type LogCommand,
  type LogHeader,
  type LogOperator,
  type LogPart,
  type LogTree,
  parseLogFormat,
  parseLogTree,
} from "./log-format.ts";
export { type At, kindOfValue, type Reader, shown } from "./reader.ts";
export { checkRegex, MAX_REGEX_LENGTH, type RegexFault } from "./regex.ts";
export { createKindRegistry, isKind, type KindRegistry, specOf } from "./registry.ts";
export {
  API_VERSION,
  accepted,
  asApplied,
  CONFIG_API_VERSIONS,
  DEFAULT_NAMESPACE,
  type FieldError,
  formatKey,
  type JsonObject,
  type JsonValue,
  keyOf,
  NETWORKING_API_VERSIONS,
  type Resource,
  type ResourceKey,
  type ResourceMetadata,
  ROOT_NAMESPACE,
  revisionOf,
  sameContent,
  stableJson,
} from "./resource.ts";
export { anyObject, bool, dnsLabel, duration, enumeration, float, int32, string, text } from "./scalars.ts";
export { checked, type Field, field, list, map, object, oneOf, type Schema } from "./schema.ts";
export type {
  CircuitBreakerSpec,
  CorsSpec,
  DestinationPolicySpec,
  FaultAbortSpec,
  FaultDelaySpec,
  FaultSpec,
  HeaderMatchSpec,
  IngressRuleSpec,
  L4MatchSpec,
  Labels,
  LoadBalancing,
  MatchSpec,
  MixerActionSpec,
  MixerRef,
  MixerRuleSpec,
  OpenSpec,
  QuotaClauseSpec,
  QuotaRuleSpec,
  QuotaSpecBindingSpec,
  QuotaSpecSpec,
  RetrySpec,
  RouteRuleSpec,
  ServiceRef,
  StringMatch,
  TimeoutSpec,
  UriAuthority,
  WeightedDestinationSpec,
} from "./specs.ts";
export {
  type ClientTlsSpec,
  type ConnectionPoolSpec,
  type DestinationRuleSpec,
  type DestinationSpec,
  type EgressRuleSpec,
  type ExportTo,
  type GatewayServerSpec,
  type GatewaySpec,
  type HashSpec,
  type HeaderOperationsSpec,
  type HeadersSpec,
  type HostRef,
  type HttpCorsSpec,
  type HttpDestinationSpec,
  type HttpFaultSpec,
  type HttpMatchSpec,
  type HttpMirrorSpec,
  type HttpRedirectSpec,
  type HttpRetrySpec,
  type HttpRewriteSpec,
  type HttpRouteSpec,
  type LoadBalancerSpec,
  MESH_GATEWAY,
  type MeshConfigSpec,
  type NamedMatch,
  type OutboundMode,
  type OutlierDetectionSpec,
  type PortPolicySpec,
  type ProxyConfigSpec,
  type ScopedHost,
  type ServiceEntryPortSpec,
  type ServiceEntrySpec,
  type SidecarSpec,
  type SubsetSpec,
  type TrafficPolicySpec,
  type VirtualServiceSpec,
  type WorkloadEntrySpec,
  type WorkloadGroupSpec,
  type WorkloadProbeSpec,
} from "./specs-networking.ts";
export { type FieldDoc, protoNameOf, type TypeDoc, type Unsupported } from "./type-doc.ts";
