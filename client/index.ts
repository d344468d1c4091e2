/** The public client: publish configuration, watch it change, follow the telemetry. docs/client.md explains it. */
export {
  ConfigError,
  ConflictError,
  DeniedError,
  type ErrorCode,
  InvalidArgumentError,
  MeshError,
  NotFoundError,
  TimeoutError,
  UnavailableError,
  WireError,
} from "../shared/base/index.ts";
export type { BusState } from "../shared/bus/index.ts";
export type { FieldError, JsonObject, JsonValue, Resource, ResourceMetadata } from "../shared/model/index.ts";
export { BoundedQueue } from "./bounded-queue.ts";
export { ConfigClient } from "./config-client.ts";
export { type ConfigEvent, ConfigWatch, type WatchOptions } from "./config-watch.ts";
export { type ConnectOptions, connectMesh, MeshClient } from "./mesh-client.ts";
export {
  type ApplyOptions,
  type ApplyResult,
  type Documents,
  isTombstone,
  type ResourceInput,
  type ResourceName,
  type ResourceQuery,
  type ResourceVersion,
  type SubmitReceipt,
  type Tombstone,
} from "./resources.ts";
export { type MeshSettings, settingsFromEnv, settingsFromFile } from "./settings.ts";
export {
  type AnyRow,
  type LogRow,
  type MetricRow,
  type SpanRow,
  TelemetryClient,
  type TelemetryDestination,
  type TelemetryFilter,
  type TelemetryPeer,
  type TelemetryStream,
} from "./telemetry.ts";
