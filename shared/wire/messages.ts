import { mesh } from "#gen/mesh.js";
import { errorMessage, WireError } from "../base/index.ts";

/**
 * The only door to the generated protobuf code. For each message: a decoded type (`Plan`: every default filled in)
 * and, where it travels on its own, a `MessageType` of the same name. Values to encode may leave defaults out:
 * `Input<typeof Plan>`.
 */
export interface MessageType<Out, In> {
  /** The value of the `Mesh-Type` header. */
  readonly name: string;
  encode(value: In): Uint8Array;
  /** Throws WireError when the bytes are not this message, or more than MAX_MESSAGE_BYTES. */
  decode(bytes: Uint8Array): Out;
}

export type Input<T> = T extends MessageType<infer _Out, infer In> ? In : never;

/** NATS's own default limit of a payload. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

interface GeneratedType<Out, In> {
  encode(message: In): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Out;
}

function messageType<Out, In>(name: string, type: GeneratedType<Out, In>): MessageType<Out, In> {
  return {
    name,
    encode: (value) => type.encode(value).finish(),
    decode(bytes) {
      if (bytes.length > MAX_MESSAGE_BYTES) throw new WireError(`${name}: ${bytes.length} bytes are too many`);
      try {
        return type.decode(bytes);
      } catch (error) {
        throw new WireError(`${name}: ${errorMessage(error)}`, { cause: error });
      }
    },
  };
}

export type SignRequest = mesh.v1.SignRequest;
export const SignRequest: MessageType<SignRequest, mesh.v1.SignRequest.$Properties> = messageType(
  "SignRequest",
  mesh.v1.SignRequest,
);
export type SignResponse = mesh.v1.SignResponse;
export const SignResponse: MessageType<SignResponse, mesh.v1.SignResponse.$Properties> = messageType(
  "SignResponse",
  mesh.v1.SignResponse,
);
export type TrustBundle = mesh.v1.TrustBundle;
export const TrustBundle: MessageType<TrustBundle, mesh.v1.TrustBundle.$Properties> = messageType(
  "TrustBundle",
  mesh.v1.TrustBundle,
);
export type Envelope = mesh.v1.Envelope;
export const Envelope: MessageType<Envelope, mesh.v1.Envelope.$Properties> = messageType("Envelope", mesh.v1.Envelope);
export type Head = mesh.v1.Head;
export const Head: MessageType<Head, mesh.v1.Head.$Properties> = messageType("Head", mesh.v1.Head);
export type HeadEntry = mesh.v1.HeadEntry;
export type HeadEntryInput = mesh.v1.HeadEntry.$Properties;
export type SyncRequest = mesh.v1.SyncRequest;
export const SyncRequest: MessageType<SyncRequest, mesh.v1.SyncRequest.$Properties> = messageType(
  "SyncRequest",
  mesh.v1.SyncRequest,
);
export type SyncReply = mesh.v1.SyncReply;
export const SyncReply: MessageType<SyncReply, mesh.v1.SyncReply.$Properties> = messageType(
  "SyncReply",
  mesh.v1.SyncReply,
);
export type TouchedKey = mesh.v1.TouchedKey;
export type TouchedKeyInput = mesh.v1.TouchedKey.$Properties;
export type StringMap = mesh.v1.StringMap;
export type StringMapInput = mesh.v1.StringMap.$Properties;
export type AttributeValue = mesh.v1.AttributeValue;
export type AttributeValueInput = mesh.v1.AttributeValue.$Properties;
export type Plan = mesh.v1.Plan;
export const Plan: MessageType<Plan, mesh.v1.Plan.$Properties> = messageType("Plan", mesh.v1.Plan);
export type CheckPlan = mesh.v1.CheckPlan;
export type CheckPlanInput = mesh.v1.CheckPlan.$Properties;
export type QuotaRule = mesh.v1.QuotaRule;
export type QuotaRuleInput = mesh.v1.QuotaRule.$Properties;
export type QuotaMatch = mesh.v1.QuotaMatch;
export type QuotaMatchInput = mesh.v1.QuotaMatch.$Properties;
export type QuotaClause = mesh.v1.QuotaClause;
export type QuotaClauseInput = mesh.v1.QuotaClause.$Properties;
export type QuotaCharge = mesh.v1.QuotaCharge;
export type QuotaChargeInput = mesh.v1.QuotaCharge.$Properties;
export type ReportPlan = mesh.v1.ReportPlan;
export type ReportPlanInput = mesh.v1.ReportPlan.$Properties;
export type MergedValue = mesh.v1.MergedValue;
export type MergedValueInput = mesh.v1.MergedValue.$Properties;
export type CheckRequest = mesh.v1.CheckRequest;
export const CheckRequest: MessageType<CheckRequest, mesh.v1.CheckRequest.$Properties> = messageType(
  "CheckRequest",
  mesh.v1.CheckRequest,
);
export type QuotaRequest = mesh.v1.QuotaRequest;
export type QuotaRequestInput = mesh.v1.QuotaRequest.$Properties;
export type CheckResponse = mesh.v1.CheckResponse;
export const CheckResponse: MessageType<CheckResponse, mesh.v1.CheckResponse.$Properties> = messageType(
  "CheckResponse",
  mesh.v1.CheckResponse,
);
export type ReferencedAttribute = mesh.v1.ReferencedAttribute;
export type ReferencedAttributeInput = mesh.v1.ReferencedAttribute.$Properties;
export type QuotaResult = mesh.v1.QuotaResult;
export type QuotaResultInput = mesh.v1.QuotaResult.$Properties;
export type ReportBatch = mesh.v1.ReportBatch;
export const ReportBatch: MessageType<ReportBatch, mesh.v1.ReportBatch.$Properties> = messageType(
  "ReportBatch",
  mesh.v1.ReportBatch,
);
export type AttributeSet = mesh.v1.AttributeSet;
export type AttributeSetInput = mesh.v1.AttributeSet.$Properties;
export type ReportRow = mesh.v1.ReportRow;
export type ReportRowInput = mesh.v1.ReportRow.$Properties;
export type PackedAttribute = mesh.v1.PackedAttribute;
export type PackedAttributeInput = mesh.v1.PackedAttribute.$Properties;
export type PackedMap = mesh.v1.PackedMap;
export type PackedMapInput = mesh.v1.PackedMap.$Properties;
export type PackedValue = mesh.v1.PackedValue;
export type PackedValueInput = mesh.v1.PackedValue.$Properties;
export type ReportAck = mesh.v1.ReportAck;
export const ReportAck: MessageType<ReportAck, mesh.v1.ReportAck.$Properties> = messageType(
  "ReportAck",
  mesh.v1.ReportAck,
);
export type ServiceConfig = mesh.v1.ServiceConfig;
export const ServiceConfig: MessageType<ServiceConfig, mesh.v1.ServiceConfig.$Properties> = messageType(
  "ServiceConfig",
  mesh.v1.ServiceConfig,
);
export type ServicePort = mesh.v1.ServicePort;
export type ServicePortInput = mesh.v1.ServicePort.$Properties;
export type Requirement = mesh.v1.Requirement;
export type RequirementInput = mesh.v1.Requirement.$Properties;
export type Route = mesh.v1.Route;
export type RouteInput = mesh.v1.Route.$Properties;
export type RouteMatch = mesh.v1.RouteMatch;
export type RouteMatchInput = mesh.v1.RouteMatch.$Properties;
export type SourceSelector = mesh.v1.SourceSelector;
export type SourceSelectorInput = mesh.v1.SourceSelector.$Properties;
export type HeaderMatch = mesh.v1.HeaderMatch;
export type HeaderMatchInput = mesh.v1.HeaderMatch.$Properties;
export type Destination = mesh.v1.Destination;
export type DestinationInput = mesh.v1.Destination.$Properties;
export type WeightedDestination = mesh.v1.WeightedDestination;
export type WeightedDestinationInput = mesh.v1.WeightedDestination.$Properties;
export type Redirect = mesh.v1.Redirect;
export type RedirectInput = mesh.v1.Redirect.$Properties;
export type Rewrite = mesh.v1.Rewrite;
export type RewriteInput = mesh.v1.Rewrite.$Properties;
export type Timeout = mesh.v1.Timeout;
export type TimeoutInput = mesh.v1.Timeout.$Properties;
export type Retry = mesh.v1.Retry;
export type RetryInput = mesh.v1.Retry.$Properties;
export type Fault = mesh.v1.Fault;
export type FaultInput = mesh.v1.Fault.$Properties;
export type FaultDelay = mesh.v1.FaultDelay;
export type FaultDelayInput = mesh.v1.FaultDelay.$Properties;
export type FaultAbort = mesh.v1.FaultAbort;
export type FaultAbortInput = mesh.v1.FaultAbort.$Properties;
export type HeaderValue = mesh.v1.HeaderValue;
export type HeaderValueInput = mesh.v1.HeaderValue.$Properties;
export type CorsPolicy = mesh.v1.CorsPolicy;
export type CorsPolicyInput = mesh.v1.CorsPolicy.$Properties;
export type TrafficPolicy = mesh.v1.TrafficPolicy;
export type TrafficPolicyInput = mesh.v1.TrafficPolicy.$Properties;
export type CircuitBreaker = mesh.v1.CircuitBreaker;
export type CircuitBreakerInput = mesh.v1.CircuitBreaker.$Properties;
export type EndpointSet = mesh.v1.EndpointSet;
export const EndpointSet: MessageType<EndpointSet, mesh.v1.EndpointSet.$Properties> = messageType(
  "EndpointSet",
  mesh.v1.EndpointSet,
);
export type Endpoint = mesh.v1.Endpoint;
export type EndpointInput = mesh.v1.Endpoint.$Properties;
export type EndpointPort = mesh.v1.EndpointPort;
export type EndpointPortInput = mesh.v1.EndpointPort.$Properties;
export type HostsConfig = mesh.v1.HostsConfig;
export const HostsConfig: MessageType<HostsConfig, mesh.v1.HostsConfig.$Properties> = messageType(
  "HostsConfig",
  mesh.v1.HostsConfig,
);
export type NamedHost = mesh.v1.NamedHost;
export type NamedHostInput = mesh.v1.NamedHost.$Properties;
export type GatewayConfig = mesh.v1.GatewayConfig;
export const GatewayConfig: MessageType<GatewayConfig, mesh.v1.GatewayConfig.$Properties> = messageType(
  "GatewayConfig",
  mesh.v1.GatewayConfig,
);
export type RouteView = mesh.v1.RouteView;
export type RouteViewInput = mesh.v1.RouteView.$Properties;
export type ClientTls = mesh.v1.ClientTls;
export type ClientTlsInput = mesh.v1.ClientTls.$Properties;
export type GatewayServer = mesh.v1.GatewayServer;
export type GatewayServerInput = mesh.v1.GatewayServer.$Properties;
export type WorkloadConfig = mesh.v1.WorkloadConfig;
export const WorkloadConfig: MessageType<WorkloadConfig, mesh.v1.WorkloadConfig.$Properties> = messageType(
  "WorkloadConfig",
  mesh.v1.WorkloadConfig,
);
export type MeshDefaults = mesh.v1.MeshDefaults;
export type MeshDefaultsInput = mesh.v1.MeshDefaults.$Properties;
export type SidecarScope = mesh.v1.SidecarScope;
export type SidecarScopeInput = mesh.v1.SidecarScope.$Properties;
export type ScopedHostInput = mesh.v1.ScopedHost.$Properties;
export type GatewayRoute = mesh.v1.GatewayRoute;
export type GatewayRouteInput = mesh.v1.GatewayRoute.$Properties;
export type Registration = mesh.v1.Registration;
export const Registration: MessageType<Registration, mesh.v1.Registration.$Properties> = messageType(
  "Registration",
  mesh.v1.Registration,
);
export type Hello = mesh.v1.Hello;
export const Hello: MessageType<Hello, mesh.v1.Hello.$Properties> = messageType("Hello", mesh.v1.Hello);
export type GrpcHealthRequest = mesh.v1.GrpcHealthRequest;
export const GrpcHealthRequest: MessageType<GrpcHealthRequest, mesh.v1.GrpcHealthRequest.$Properties> = messageType(
  "GrpcHealthRequest",
  mesh.v1.GrpcHealthRequest,
);
export type GrpcHealthResponse = mesh.v1.GrpcHealthResponse;
export const GrpcHealthResponse: MessageType<GrpcHealthResponse, mesh.v1.GrpcHealthResponse.$Properties> = messageType(
  "GrpcHealthResponse",
  mesh.v1.GrpcHealthResponse,
);
export type ProxyStatus = mesh.v1.ProxyStatus;
export const ProxyStatus: MessageType<ProxyStatus, mesh.v1.ProxyStatus.$Properties> = messageType(
  "ProxyStatus",
  mesh.v1.ProxyStatus,
);
export type ComponentStatusRequest = mesh.v1.ComponentStatusRequest;
export const ComponentStatusRequest: MessageType<ComponentStatusRequest, mesh.v1.ComponentStatusRequest.$Properties> =
  messageType("ComponentStatusRequest", mesh.v1.ComponentStatusRequest);
export type ComponentStatus = mesh.v1.ComponentStatus;
export const ComponentStatus: MessageType<ComponentStatus, mesh.v1.ComponentStatus.$Properties> = messageType(
  "ComponentStatus",
  mesh.v1.ComponentStatus,
);
export type AppliedKey = mesh.v1.AppliedKey;
export type AppliedKeyInput = mesh.v1.AppliedKey.$Properties;
export type Mirror = mesh.v1.Mirror;
export type MirrorInput = mesh.v1.Mirror.$Properties;
export type DirectResponse = mesh.v1.DirectResponse;
export type DirectResponseInput = mesh.v1.DirectResponse.$Properties;
export type HeaderOperations = mesh.v1.HeaderOperations;
export type HeaderOperationsInput = mesh.v1.HeaderOperations.$Properties;
export type HashPolicy = mesh.v1.HashPolicy;
export type HashPolicyInput = mesh.v1.HashPolicy.$Properties;
export type HashCookie = mesh.v1.HashCookie;
export type HashCookieInput = mesh.v1.HashCookie.$Properties;
export type LocalRateLimit = mesh.v1.LocalRateLimit;
export type LocalRateLimitInput = mesh.v1.LocalRateLimit.$Properties;
export type StringMatch = mesh.v1.StringMatch;
export type StringMatchInput = mesh.v1.StringMatch.$Properties;
export type OutlierDetection = mesh.v1.OutlierDetection;
export type OutlierDetectionInput = mesh.v1.OutlierDetection.$Properties;
export type HealthCheck = mesh.v1.HealthCheck;
export type HealthCheckInput = mesh.v1.HealthCheck.$Properties;
export type SlowStart = mesh.v1.SlowStart;
export type SlowStartInput = mesh.v1.SlowStart.$Properties;
export type LocalityPolicy = mesh.v1.LocalityPolicy;
export type LocalityPolicyInput = mesh.v1.LocalityPolicy.$Properties;
export type LocalityDistribution = mesh.v1.LocalityDistribution;
export type LocalityDistributionInput = mesh.v1.LocalityDistribution.$Properties;
export type LocalityWeight = mesh.v1.LocalityWeight;
export type LocalityWeightInput = mesh.v1.LocalityWeight.$Properties;
export type RetryBudget = mesh.v1.RetryBudget;
export type RetryBudgetInput = mesh.v1.RetryBudget.$Properties;
