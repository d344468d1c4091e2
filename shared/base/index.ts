export { Backoff, type BackoffOptions } from "./backoff.ts";
export { type Clock, jittered, MAX_TIMER_MS, sleep, systemClock } from "./clock.ts";
export { type Deferred, deferred } from "./deferred.ts";
export {
  ConfigError,
  ConflictError,
  DeniedError,
  ERROR_CODES,
  type ErrorCode,
  errorMessage,
  InternalError,
  InvalidArgumentError,
  isErrorCode,
  MeshError,
  NotFoundError,
  QuotaExceededError,
  TimeoutError,
  UnavailableError,
  WireError,
} from "./errors.ts";
export {
  GRPC_INTERNAL,
  GRPC_OK,
  GRPC_RESOURCE_EXHAUSTED,
  GRPC_STATUS_NAMES,
  GRPC_UNAVAILABLE,
  grpcStatusName,
  httpStatusOf,
} from "./grpc-status.ts";
export { fnv1a32, mix32 } from "./hash.ts";
export { type App, type AppPorts, Lifecycle, type LifecycleState } from "./lifecycle.ts";
export { LruMap } from "./lru-map.ts";
export { VERSION } from "./version.ts";
