export { Child, findProgram } from "./child.ts";
export { consistently, type EventuallyOptions, eventually, standstill } from "./eventually.ts";
export { FakeClock } from "./fake-clock.ts";
export { silentLog } from "./log.ts";
export { type ConnectOptions, NatsFixture, type NatsOptions, type RestartOptions, startNats } from "./nats.ts";
export { freePort } from "./ports.ts";
export { RedisFixture, startRedis } from "./redis.ts";
export { Relay, startRelay } from "./relay.ts";
