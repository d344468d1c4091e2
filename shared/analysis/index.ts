export { ALL_CODES } from "./all-codes.ts";
export { analyze } from "./analyze.ts";
export {
  CODES_PAGE,
  type CodeDefinition,
  codeLink,
  type Example,
  GROUPS,
  isAtLeast,
  LEVELS,
  type Level,
} from "./code.ts";
export { EXAMPLE_NOW_MS } from "./codes/running.ts";
export { type WrittenDocument, type WrittenWorld, worldOfDocuments } from "./documents.ts";
export type { Message } from "./message.ts";
export { isPlatformDocument, servicesOfDocuments } from "./platform.ts";
export { parseRegistered } from "./registered.ts";
export { isSuppressed, parseSuppression, type Suppression } from "./suppression.ts";
export type {
  AnalysedResource,
  CertificateState,
  ComponentState,
  KnownInstance,
  KnownPort,
  KnownService,
  LiveState,
  ProxyState,
  World,
} from "./world.ts";
