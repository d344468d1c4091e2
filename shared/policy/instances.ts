import type { CompiledExpression, ReferenceText } from "./expression/types.ts";

/** The kinds of instances. */
export const TEMPLATES = ["checknothing", "listentry", "quota", "metric", "logentry"] as const;
export type Template = (typeof TEMPLATES)[number];

/** When an instance is made: before the request, when its quota is charged, or after it. */
export type Variety = "CHECK" | "QUOTA" | "REPORT";

export const VARIETY_OF: Readonly<Record<Template, Variety>> = {
  checknothing: "CHECK",
  listentry: "CHECK",
  quota: "QUOTA",
  metric: "REPORT",
  logentry: "REPORT",
};

export type CompiledFields = Readonly<Record<string, CompiledExpression>>;

export interface CheckNothingInstance {
  readonly template: "checknothing";
  readonly references: readonly ReferenceText[];
}

export interface ListEntryInstance {
  readonly template: "listentry";
  /** STRING. */
  readonly value: CompiledExpression;
  readonly references: readonly ReferenceText[];
}

export interface QuotaInstance {
  readonly template: "quota";
  readonly dimensions: CompiledFields;
  readonly references: readonly ReferenceText[];
}

export interface MetricInstance {
  readonly template: "metric";
  readonly value: CompiledExpression;
  readonly dimensions: CompiledFields;
  /** STRING. */
  readonly monitoredResourceType: CompiledExpression | undefined;
  readonly monitoredResourceDimensions: CompiledFields;
  readonly references: readonly ReferenceText[];
}

export interface LogEntryInstance {
  readonly template: "logentry";
  readonly variables: CompiledFields;
  /** TIMESTAMP; the time of the report when absent. */
  readonly timestamp: CompiledExpression | undefined;
  /** STRING. */
  readonly severity: CompiledExpression | undefined;
  /** STRING. */
  readonly monitoredResourceType: CompiledExpression | undefined;
  readonly monitoredResourceDimensions: CompiledFields;
  readonly references: readonly ReferenceText[];
}

/** An instance whose fields are compiled; `references` is every attribute that any of them may read, sorted. */
export type CompiledInstance =
  | CheckNothingInstance
  | ListEntryInstance
  | QuotaInstance
  | MetricInstance
  | LogEntryInstance;
