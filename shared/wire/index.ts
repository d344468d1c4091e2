export * from "./messages.ts";
export type {
  AttributeJson,
  ExplainedAction,
  ExplainedRule,
  MixerCheckAnswer,
  MixerCheckRequest,
  MixerReportAnswer,
  MixerReportRequest,
} from "./mixer-requests.ts";
export { decodeToken, encodeToken } from "./names.ts";
export {
  type Account,
  type AccountLink,
  accountLinks,
  type BusUser,
  type Component,
  componentUser,
  operatorUser,
  storeUser,
  storeUserName,
  type WorkloadUser,
  workloadUser,
  workloadUserName,
} from "./permissions.ts";
export {
  joinPages,
  type ListedInstance,
  type ListedService,
  type PendingResource,
  type RegistryPage,
} from "./registry-list.ts";
export {
  type BusLogin,
  natsServerConfig,
  randomPassword,
  type ServerConfigOptions,
  type StandardUsersOptions,
  standardUsers,
} from "./server-config.ts";
export {
  type ConfigVerb,
  isTable,
  kindToken,
  type ProxyIdentity,
  parseTableKey,
  type RegistryAddress,
  type RegistryVerb,
  Subjects,
  TABLES,
  type Table,
  TELEMETRY_KINDS,
  type TelemetryKind,
  tableKey,
  WORKLOAD_TABLES,
  type WorkloadIdentity,
} from "./subjects.ts";
export type {
  TapAnswer,
  TapFilter,
  TapParty,
  TapPeer,
  TapReporter,
  TapRequest,
  TapRow,
} from "./tap-requests.ts";
export type { TrafficParty, TrafficSeries, TrafficView } from "./traffic-view.ts";
