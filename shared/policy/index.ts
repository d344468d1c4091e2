export { ATTRIBUTES, type ValueType } from "../model/index.ts";
export { prometheusName } from "./adapters/prometheus.ts";
export { MapBag, type TrackedReference, TrackingBag } from "./expression/bags.ts";
export { compileExpression, compileMatch } from "./expression/compiler.ts";
export { formatDuration, parseDurationMs } from "./expression/duration.ts";
export { compilePattern } from "./expression/functions.ts";
export { type Cidr, formatIp, isInCidr, isSameIp, parseCidr, parseIp } from "./expression/ip.ts";
export { formatExpression, parseExpression } from "./expression/parser.ts";
export {
  type AttributeBag,
  type AttributeVocabulary,
  type CompiledExpression,
  type CompiledMatch,
  type EqualityMatch,
  EvaluationError,
  ExpressionError,
  type ReferenceText,
  type Value,
  type ValueMap,
  type ValueShape,
} from "./expression/types.ts";
export {
  type CheckNothingInstance,
  type CompiledFields,
  type CompiledInstance,
  type ListEntryInstance,
  type LogEntryInstance,
  type MetricInstance,
  type QuotaInstance,
  TEMPLATES,
  type Template,
  VARIETY_OF,
  type Variety,
} from "./instances.ts";
export {
  type CompiledRule,
  isAdapter,
  isTemplate,
  POLICY_KINDS,
  RULE,
} from "./kinds.ts";
export {
  ADAPTERS,
  type Adapter,
  type AdapterParams,
  type BusParams,
  type DenierParams,
  type ListCheckerParams,
  type ListEntryType,
  type LogLevel,
  type MemQuotaLimitParams,
  type MemQuotaParams,
  type PrometheusMetricParams,
  type PrometheusParams,
  type QuotaOverrideParams,
  type RedisQuotaLimitParams,
  type RedisQuotaParams,
  type StdioParams,
  TEMPLATES_OF,
} from "./parameters.ts";
export { checkReferences, checkRemoval, type PolicyResources } from "./references.ts";
