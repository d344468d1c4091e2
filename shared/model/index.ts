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
export { formatDuration, parseDuration } from "./duration.ts";
export {
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
export type { KindClass, KindDefinition, ParsedResource, SpecContext, SpecResult } from "./kind.ts";
export { DESTINATION_POLICY } from "./kinds/destination-policy.ts";
export { INGRESS_RULE } from "./kinds/ingress-rule.ts";
export { formatMixerRef, MIXER_RULE } from "./kinds/mixer-rule.ts";
export { OPEN_KINDS } from "./kinds/open.ts";
export { QUOTA_SPEC } from "./kinds/quota-spec.ts";
export { QUOTA_SPEC_BINDING } from "./kinds/quota-spec-binding.ts";
export { ROUTE_RULE } from "./kinds/route-rule.ts";
export { checkRegex, MAX_REGEX_LENGTH, type RegexFault } from "./regex.ts";
export { createKindRegistry, isKind, type KindRegistry, specOf } from "./registry.ts";
export {
  API_VERSION,
  DEFAULT_NAMESPACE,
  type FieldError,
  formatKey,
  type JsonObject,
  type JsonValue,
  keyOf,
  type Resource,
  type ResourceKey,
  type ResourceMetadata,
  ROOT_NAMESPACE,
  revisionOf,
  sameContent,
  stableJson,
  withRevision,
} from "./resource.ts";
export { anyObject, bool, dnsLabel, duration, enumeration, float, int32, string } from "./scalars.ts";
export {
  checked,
  defineKind,
  type Field,
  type FieldDoc,
  field,
  kindOfValue,
  list,
  map,
  object,
  oneOf,
  type Reader,
  type Schema,
  shown,
  type TypeDoc,
} from "./schema.ts";
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
export { NOT_SUPPORTED_YET } from "./support.ts";
