import { defineKind } from "../define-kind.ts";
import type { At } from "../reader.ts";
import { NETWORKING_API_VERSIONS } from "../resource.ts";
import { anyCaseLabel } from "../scalars.ts";
import { checked, field, list, object } from "../schema.ts";
import type { DestinationRuleSpec, SubsetSpec } from "../specs-networking.ts";
import { exportTo, hostRef, workloadLabels, workloadSelector } from "./networking.ts";
import { trafficPolicy } from "./traffic-policy.ts";

const subset = checked(
  object({
    name: field(anyCaseLabel(), "Name of the subset, for routes.", { required: true }),
    labels: field(workloadLabels(), "Labels that its instances carry, all of them.", { default: "all instances" }),
    trafficPolicy: field(
      trafficPolicy,
      "Where it differs from the rule's policy; only where a route names the subset.",
    ),
  }),
  (value): SubsetSpec => ({
    name: value.name ?? "",
    labels: value.labels ?? {},
    trafficPolicy: value.trafficPolicy,
  }),
);

const subsets = checked(list(subset), (items, at) => {
  for (const [index, { name }] of items.entries()) {
    const twin = items.findIndex((other) => other.name === name);
    if (name !== "" && twin < index && at.clean())
      at.reader.error(
        `${at.path}[${index}].name`,
        name,
        `is the name of subsets[${twin}] too`,
        "give each its own name",
      );
  }
  return items;
});

const schema = object({
  host: field(hostRef({ star: true, wildcards: true }), "The service, or *. and a domain for many.", {
    required: true,
  }),
  trafficPolicy: field(trafficPolicy, "How callers treat its instances."),
  subsets: field(subsets, "Versions of the service that routes may name."),
  exportTo: field(exportTo(), "Namespaces whose callers it is for: *, . (the own one) or names.", {
    default: "as MeshConfig says, else *",
  }),
  workloadSelector: field(
    workloadSelector("matchLabels"),
    "Only callers with these labels, in the rule's own namespace.",
    {
      default: "all callers",
    },
  ),
});

/** DestinationRule: subsets of a service, and how callers treat its instances. */
export const DESTINATION_RULE = defineKind<DestinationRuleSpec>({
  kind: "DestinationRule",
  plural: "destinationrules",
  shortNames: ["dr"],
  apiVersions: NETWORKING_API_VERSIONS,
  class: "traffic",
  doc: "Names versions of a service, and says how callers choose among its instances and what limits they keep.",
  schema: checked(schema, (value, at): DestinationRuleSpec => {
    checkScope(value.exportTo ?? [], at);
    if (!at.has("trafficPolicy") && (value.subsets ?? []).length === 0 && at.clean())
      at.warn("has no effect", "give trafficPolicy, subsets or both");
    return {
      host: value.host ?? { host: "", service: undefined },
      trafficPolicy: value.trafficPolicy,
      subsets: value.subsets ?? [],
      exportTo: value.exportTo ?? [],
      workloadLabels: value.workloadSelector,
    };
  }),
});

/** A rule for certain workloads is a matter of their namespace alone. */
function checkScope(namespaces: readonly string[], at: At): void {
  if (!at.has("workloadSelector") || namespaces.length === 0) return;
  if (namespaces.length > 1 || namespaces[0] !== at.context.namespace)
    at.errorOf("exportTo", "cannot reach beyond the own namespace with workloadSelector", "write ., or leave it out");
}
