export { CircuitBreaker, type CircuitBreakerOptions } from "./circuit-breaker.ts";
export { QUOTA_SCRIPTS, type QuotaScriptName } from "./quota-scripts.ts";
export { type FixedWindowRequest, QuotaStore, type RollingWindowRequest, type Taken } from "./quota-store.ts";
export { RedisConnection, type RedisConnectionOptions } from "./redis.ts";
