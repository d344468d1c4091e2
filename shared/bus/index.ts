export {
  Bus,
  type BusOptions,
  type BusSubscription,
  connectBus,
  type GatherOptions,
  openBus,
} from "./bus.ts";
export {
  type ComponentStatusOptions,
  type Finding,
  type FindingLevel,
  serveComponentStatus,
} from "./component-status.ts";
export type { BusState, BusStats, ServerInfo } from "./connection.ts";
export { directGet } from "./direct-get.ts";
export { DurableQueue, type DurableQueueOptions, type QueueConsumption, type QueuedMessage } from "./durable-queue.ts";
export { type BucketName, open, type StoredValue, seal, type TableMessage } from "./envelope.ts";
export type { Follow } from "./follow.ts";
export { type AppliedState, type FollowedKey, type FollowedTable, type FollowState, NOT_APPLIED } from "./followed.ts";
export { JetStream, type StreamConfig, type StreamInfo } from "./jetstream.ts";
export { Leader, type LeaderOptions } from "./leader.ts";
export { type BusHeaders, type BusMessage, decodeMessage, parseJson, TYPE_HEADER } from "./message.ts";
export { asAnswer, type Requester, type RequestOptions } from "./requester.ts";
export { protoReply, type ServeHandler, type ServeOptions, type ServeReply } from "./responder.ts";
export { TableFollower, type TableFollowerOptions } from "./table-follower.ts";
export type { TableHead } from "./table-heads.ts";
export { HEAD_PERIOD_MS, type Position, TableOwner, type TableOwnerOptions } from "./table-owner.ts";
export { bucketConfig, LEASE_MS, TableStore } from "./table-store.ts";
export { TableWatcher, type TableWatcherOptions, type WatchedValue } from "./table-watcher.ts";
export { EventLoopWatchdog, type EventLoopWatchdogOptions } from "./watchdog.ts";
export { ERROR_CODE_HEADER, ERROR_TEXT_HEADER, errorHeaders, errorOf, rebuiltError } from "./wire-error.ts";
