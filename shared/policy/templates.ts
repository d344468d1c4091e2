import { checked, field, map, object, type Schema } from "../model/index.ts";
import type { CompiledExpression } from "./expression/types.ts";
import { expression } from "./fields.ts";
import type { CompiledFields, CompiledInstance, Template } from "./instances.ts";

/** The fields of each template, and how an instance is made of them. Field names may also be written in snake_case. */
const NONE: CompiledFields = {};

const dimensions = map(expression());
const monitored = {
  monitoredResourceType: field(
    expression("STRING"),
    "Kind of the thing that is watched; for collectors that ask for it.",
  ),
  monitoredResourceDimensions: field(dimensions, "Its dimensions."),
};

const checkNothing: Schema<CompiledInstance> = checked(object({}), () => ({
  template: "checknothing",
  references: [],
}));

const listEntry: Schema<CompiledInstance> = checked(
  object({ value: field(expression("STRING"), "The value to look up.", { required: true }) }),
  ({ value }) =>
    value === undefined ? undefined : { template: "listentry", value, references: referencesOf([value]) },
);

const quota: Schema<CompiledInstance> = checked(
  object({ dimensions: field(dimensions, "What the quota is counted by.") }),
  ({ dimensions: given = NONE }) => ({
    template: "quota",
    dimensions: given,
    references: referencesOf(Object.values(given)),
  }),
);

const metric: Schema<CompiledInstance> = checked(
  object({
    value: field(expression(), 'The value, such as response.size | 0, or "1" to count.', { required: true }),
    dimensions: field(dimensions, "What it is told apart by."),
    ...monitored,
  }),
  ({ value, dimensions: given = NONE, monitoredResourceType, monitoredResourceDimensions = NONE }) => {
    if (value === undefined) return undefined;
    const others = [...Object.values(given), ...Object.values(monitoredResourceDimensions)];
    const references = referencesOf([value, monitoredResourceType, ...others]);
    return {
      template: "metric",
      value,
      dimensions: given,
      monitoredResourceType,
      monitoredResourceDimensions,
      references,
    };
  },
);

const logEntry: Schema<CompiledInstance> = checked(
  object({
    variables: field(dimensions, "What the entry says."),
    timestamp: field(expression("TIMESTAMP"), "Its time.", { default: "that of the report" }),
    severity: field(expression("STRING"), "Its severity."),
    ...monitored,
  }),
  ({ variables = NONE, timestamp, severity, monitoredResourceType, monitoredResourceDimensions = NONE }) => {
    const many = [...Object.values(variables), ...Object.values(monitoredResourceDimensions)];
    const references = referencesOf([timestamp, severity, monitoredResourceType, ...many]);
    return {
      template: "logentry",
      variables,
      timestamp,
      severity,
      monitoredResourceType,
      monitoredResourceDimensions,
      references,
    };
  },
);

export const TEMPLATE_SCHEMAS: Readonly<Record<Template, Schema<CompiledInstance>>> = {
  checknothing: checkNothing,
  listentry: listEntry,
  quota,
  metric,
  logentry: logEntry,
};

function referencesOf(expressions: readonly (CompiledExpression | undefined)[]): readonly string[] {
  return [...new Set(expressions.flatMap((each) => each?.references ?? []))].sort();
}
