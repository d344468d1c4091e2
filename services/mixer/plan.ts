import type { CompiledInstance, EqualityMatch } from "../../shared/policy/index.ts";
import type { CheckPlanInput, Input, Plan, QuotaRuleInput, ReportPlanInput } from "../../shared/wire/index.ts";
import { metricBounds } from "./adapters/prometheus.ts";
import { isMergeable } from "./instances.ts";
import { type LinkedAction, type LinkedConfig, type LinkedRule, rulesFor, type Source } from "./linked-config.ts";

/**
 * What a proxy must ask and tell, derived from the rules alone.
 *
 * A rule takes part in a service's plan unless one of the equalities that it cannot be true without (destination
 * service or namespace, protocol, reporter) rules the service out. `plan.default` is for services that have no plan
 * yet and for destinations outside of the mesh: every rule of every namespace takes part, so it asks and tells rather
 * more than needed, never less. Only quota charges, which belong to named services, are not in it.
 *
 * Where everything that a rule wants of a report can be summed, requests equal in all that the rules read become one
 * row. The rest (log entries, computed metric values) makes the proxy send a row for each request as well.
 */
export interface PlannedService {
  readonly namespace: string;
  readonly service: string;
  /** What rules call it. */
  readonly host: string;
  /** Of its ports; empty is taken for HTTP. */
  readonly protocols: readonly string[];
  /** Its own proxies report what reaches it; a host outside that configuration names has none. */
  readonly hasProxy: boolean;
}

export interface PlanSettings {
  /** What a request gets when Mixer does not answer. */
  readonly failOpen: boolean;
}

export interface PlannedContent {
  /** Everything but the revision. */
  readonly plan: Omit<Input<typeof Plan>, "revision">;
  /** What it was made from. */
  readonly sources: readonly Source[];
}

/** What a telemetry row on the bus names. */
const BUS_ATTRIBUTES: readonly string[] = [
  ...["source", "destination"].flatMap((side) => [
    `${side}.namespace`,
    `${side}.workload`,
    `${side}.service`,
    `${side}.labels[version]`,
    `${side}.principal`,
  ]),
  "response.code",
];

/** What Mixer itself needs to find the rules of a row. */
const ROUTING_ATTRIBUTES: readonly string[] = [
  "context.protocol",
  "context.reporter.kind",
  "destination.namespace",
  "destination.service",
];

type Side = "inbound" | "outbound";

/** The plan of one service; without one, the default. */
export function planFor(
  config: LinkedConfig,
  service: PlannedService | undefined,
  settings: PlanSettings,
): PlannedContent {
  const all = service === undefined ? [...config.rules.values()].flat() : rulesFor(config.rules, service.namespace);
  const rules = all.filter((rule) => rule.actions.length > 0 && concerns(rule, service));
  const sources = new Map<string, Source>();
  const add = (list: readonly Source[]): void => {
    for (const { key, revision } of list) sources.set(key, { key, revision });
  };
  for (const rule of rules) {
    add([rule]);
    for (const action of rule.actions) add([action.handler, ...action.instances]);
  }
  const bound = service === undefined ? [] : config.quotas.filter((quotas) => quotas.hosts.has(service.host));
  for (const quotas of bound) add(quotas.sources);
  const inboundRules = rules.filter((rule) => seesSide(rule, "inbound", service));
  const charging = has(inboundRules, "QUOTA");
  const quotas = charging ? bound.flatMap((entry) => entry.rules.map(toQuotaRule)) : [];
  const check = planCheck(inboundRules, quotas.length > 0, settings);
  const inbound = planReport(inboundRules);
  const outbound = planReport(rules.filter((rule) => seesSide(rule, "outbound", service)));
  return {
    plan: { ...(check && { check }), quotas, ...(inbound && { inbound }), ...(outbound && { outbound }) },
    sources: [...sources.values()],
  };
}

function concerns(rule: LinkedRule, service: PlannedService | undefined): boolean {
  if (service === undefined) return true;
  const protocols = service.protocols.length === 0 ? ["http"] : service.protocols;
  if (!protocols.some((protocol) => (protocol === "tcp") === rule.tcp)) return false;
  return (rule.match?.equalities ?? []).every((equality) => mayHold(equality, service));
}

function mayHold({ attribute, value }: EqualityMatch, service: PlannedService): boolean {
  switch (attribute) {
    case "destination.service":
      return value === service.host;
    case "destination.namespace":
      return value === service.namespace;
    case "context.protocol":
      return value === "tcp" || value === "http";
    default:
      return true;
  }
}

/** A rule that does not read the reporter sees outbound reports only where nobody reports the inbound side. */
function seesSide(rule: LinkedRule, side: Side, service: PlannedService | undefined): boolean {
  const wanted = rule.match?.equalities.find(({ attribute }) => attribute === "context.reporter.kind");
  if (wanted !== undefined) return wanted.value === side;
  return service === undefined || rule.readsReporter || (side === "inbound") === service.hasProxy;
}

function has(rules: readonly LinkedRule[], variety: "CHECK" | "QUOTA"): boolean {
  return rules.some((rule) =>
    rule.actions.some(({ instances }) => instances.some((linked) => linked.variety === variety)),
  );
}

function planCheck(rules: readonly LinkedRule[], charged: boolean, settings: PlanSettings): CheckPlanInput | undefined {
  if (!charged && !has(rules, "CHECK")) return undefined;
  const attributes = new Set<string>(["context.protocol"]);
  for (const rule of rules) {
    const read = rule.actions.flatMap((action) => action.instances).filter(({ variety }) => variety !== "REPORT");
    if (read.length === 0) continue;
    for (const reference of rule.match?.references ?? []) attributes.add(reference);
    for (const { instance } of read) for (const reference of instance.references) attributes.add(reference);
  }
  return { attributes: [...attributes].sort(), failOpen: settings.failOpen };
}

function toQuotaRule(rule: LinkedConfig["quotas"][number]["rules"][number]): QuotaRuleInput {
  return {
    matches: rule.matches.map((clauses) => ({
      clauses: clauses.map(({ attribute, match }) => ({ attribute, ...match })),
    })),
    charges: rule.quotas.map(({ quota, charge }) => ({ quota, charge })),
  };
}

function planReport(rules: readonly LinkedRule[]): ReportPlanInput | undefined {
  const groupBy = new Set<string>();
  const each = new Set<string>();
  const values = new Map<string, Set<number>>();
  let wantsMerged = false;
  let wantsEach = false;
  for (const rule of rules) {
    for (const action of rule.actions) {
      for (const { name, instance, variety } of action.instances) {
        if (variety !== "REPORT") continue;
        const merged = instance.template === "metric" && isMergeable(instance);
        const target = merged ? groupBy : each;
        if (merged) wantsMerged = true;
        else wantsEach = true;
        for (const reference of rule.match?.references ?? []) target.add(reference);
        for (const reference of readPerRow(instance, merged)) target.add(reference);
        if (action.handler.adapter.adapter === "bus") for (const reference of BUS_ATTRIBUTES) target.add(reference);
        if (merged) addValue(values, action, name, instance);
      }
    }
  }
  if (!wantsMerged && !wantsEach) return undefined;
  for (const reference of ROUTING_ATTRIBUTES) {
    if (wantsMerged) groupBy.add(reference);
    if (wantsEach) each.add(reference);
  }
  return {
    groupBy: [...groupBy].sort(),
    values: [...values]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([attribute, bounds]) => ({
        attribute,
        bounds: [...bounds].sort((a, b) => a - b),
      })),
    eachRequest: wantsEach,
    each: [...each].sort(),
  };
}

/** What must be equal within a row: everything that is read but the value that is summed. */
function readPerRow(instance: CompiledInstance, merged: boolean): readonly string[] {
  if (!merged || instance.template !== "metric") return instance.references;
  return Object.values(instance.dimensions).flatMap((expression) => expression.references);
}

/** Sums the attribute, in buckets where a handler makes a histogram of it (in seconds there, milliseconds here). */
function addValue(
  values: Map<string, Set<number>>,
  action: LinkedAction,
  name: string,
  instance: CompiledInstance,
): void {
  if (instance.template !== "metric" || instance.value.shape.kind !== "attribute") return;
  const { attribute } = instance.value.shape;
  const bounds = values.get(attribute) ?? new Set<number>();
  values.set(attribute, bounds);
  const { adapter } = action.handler;
  if (adapter.adapter !== "prometheus") return;
  const metric = adapter.params.metrics.find(({ instanceName }) => instanceName === name);
  const scale = instance.value.type === "DURATION" ? 1000 : 1;
  for (const bound of (metric && metricBounds(metric)) ?? []) bounds.add(Number((bound * scale).toPrecision(12)));
}
