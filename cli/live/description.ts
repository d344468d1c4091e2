import type { AnalysedResource, Message } from "../../shared/analysis/index.ts";
import {
  type DestinationPolicySpec,
  type DestinationRuleSpec,
  formatKey,
  type HostRef,
  type IngressRuleSpec,
  type Labels,
  type QuotaSpecBindingSpec,
  type ResourceKey,
  type RouteRuleSpec,
  resolveHost,
  type ServiceRef,
  serviceHost,
  type VirtualServiceSpec,
} from "../../shared/model/index.ts";
import type { CompiledRule } from "../../shared/policy/index.ts";
import type { ListedInstance, ListedService } from "../../shared/wire/index.ts";
import type { ProxyState } from "./proxy-state.ts";

/** What there is to know of one service, for people and for programs. */
export interface ServiceDescription {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly ports: readonly { readonly number: number; readonly protocol: string }[];
  readonly identities: readonly string[];
  readonly instances: readonly InstanceDescription[];
  readonly rules: readonly RuleDescription[];
  readonly messages: readonly Message[];
}

export interface InstanceDescription {
  readonly instance: string;
  readonly workload: string;
  readonly address: string;
  readonly labels: Labels;
  readonly healthy: boolean;
  /** SYNCED, STALE, REJECTED, DRAINING; `none` without a sidecar, `silent` when it does not answer. */
  readonly proxy: string;
  readonly version: string;
}

export interface RuleDescription {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** What it does to this service, line by line. */
  readonly lines: readonly string[];
  /** Why it is not in force; "" when it is. */
  readonly pending: string;
}

export interface DescribedMesh {
  readonly resources: readonly AnalysedResource[];
  readonly messages: readonly Message[];
  readonly pending: readonly { readonly key: ResourceKey; readonly reason: string }[];
  readonly proxies: readonly ProxyState[];
}

export function describeService(service: ListedService, mesh: DescribedMesh): ServiceDescription {
  const { namespace, name, ports, instances } = service;
  const rules = mesh.resources.flatMap((resource): RuleDescription[] => {
    const lines = linesFor(resource, service);
    if (lines === undefined) return [];
    const { kind, namespace: of, name: its } = resource.key;
    const pending = mesh.pending.find(({ key }) => formatKey(key) === formatKey(resource.key))?.reason ?? "";
    return [{ kind, namespace: of, name: its, lines, pending }];
  });
  const about = new Set(rules.map(formatKey));
  const own = new Set([name, ...instances.map(({ instance }) => instance)]);
  const messages = mesh.messages.filter(
    ({ object }) => about.has(formatKey(object)) || (object.namespace === namespace && isOwn(object, own)),
  );
  return {
    name,
    namespace,
    host: serviceHost({ namespace, service: name }),
    ports,
    identities: [...new Set(instances.map(({ principal }) => principal).filter((principal) => principal !== ""))],
    instances: instances.map((instance) => describeInstance(instance, namespace, mesh.proxies)),
    rules,
    messages,
  };
}

function isOwn({ kind, name }: ResourceKey, names: ReadonlySet<string>): boolean {
  return (kind === "Service" || kind === "Proxy") && names.has(name);
}

function describeInstance(
  { instance, workload, address, ports, labels, healthy, plaintext }: ListedInstance,
  namespace: string,
  proxies: readonly ProxyState[],
): InstanceDescription {
  const proxy = proxies.find(({ status }) => status.instance === instance && status.namespace === namespace);
  const [port] = ports;
  return {
    instance,
    workload,
    address: port === undefined ? address : `${address}:${port.addressPort}`,
    labels,
    healthy,
    proxy: plaintext ? "none" : (proxy?.state ?? "silent"),
    version: proxy?.status.version ?? "",
  };
}

/** What the resource does to the service; undefined when it has nothing to do with it. */
function linesFor({ key, parsed }: AnalysedResource, service: ListedService): readonly string[] | undefined {
  if (parsed === undefined) return undefined;
  const reader = READERS[key.kind];
  return reader?.(parsed.parsed, service, key);
}

type Reader = (spec: unknown, service: ListedService, key: ResourceKey) => readonly string[] | undefined;

const READERS: Readonly<Record<string, Reader>> = {
  VirtualService: (spec, service) => virtualServiceLines(spec as VirtualServiceSpec, service),
  DestinationRule: (spec, service) => destinationRuleLines(spec as DestinationRuleSpec, service),
  RouteRule(spec, service) {
    const { destination, precedence, route, match } = spec as RouteRuleSpec;
    if (destination.host !== hostOf(service)) return undefined;
    const targets = route
      .map(({ destination: to, weight }) => `${weight}% to ${targetText(to, destination)}`)
      .join(", ");
    return [
      `precedence ${precedence}, ${match === undefined ? "every request" : "matching requests"}: ${targets || "all instances"}`,
    ];
  },
  DestinationPolicy(spec, service) {
    const { destination, loadBalancing, circuitBreaker } = spec as DestinationPolicySpec;
    if (destination.host !== hostOf(service)) return undefined;
    const parts = [
      ...(loadBalancing === undefined ? [] : ["load balancing"]),
      ...(circuitBreaker === undefined ? [] : ["circuit breaker"]),
    ];
    return [`${parts.join(" and ") || "nothing"} for ${labelsText(destination.labels)}`];
  },
  IngressRule(spec, service) {
    const { destination, port } = spec as IngressRuleSpec;
    if (destination.host !== hostOf(service)) return undefined;
    return [`exposes it at every gateway, port ${port === 0 ? 80 : port}`];
  },
  QuotaSpecBinding(spec, service) {
    const { services, quotaSpecs } = spec as QuotaSpecBindingSpec;
    if (!services.some(({ host }) => host === hostOf(service))) return undefined;
    return [`charges quotas by ${quotaSpecs.map((each) => `${each.namespace}/${each.name}`).join(", ")}`];
  },
  rule(compiled, { namespace }, key) {
    const { match, actions } = compiled as CompiledRule;
    const deciding = actions.filter(({ handler }) => DECIDING.has(handler.kind));
    if (deciding.length === 0 || (key.namespace !== ROOT && key.namespace !== namespace)) return undefined;
    const handlers = deciding.map(({ handler }) => `${handler.name}.${handler.kind}`).join(", ");
    return [`${match === "" || match === "true" ? "every request" : `requests for which ${match}`}: asks ${handlers}`];
  },
};

function targetText(target: ServiceRef, destination: ServiceRef): string {
  const labels = labelsText(target.labels);
  return target.host === destination.host ? labels : `${labels} of ${target.host}`;
}

const ROOT = "istio-system";
/** Adapters that may refuse a request. */
const DECIDING = new Set(["denier", "listchecker", "memquota", "redisquota"]);

function virtualServiceLines(
  { hosts, gateways, http }: VirtualServiceSpec,
  service: ListedService,
): string[] | undefined {
  const isOwn = hosts.some((host) => means(host, service));
  const routed = http.filter(({ destinations }) =>
    destinations.some(({ destination }) => means(destination.host, service)),
  );
  if (!isOwn && routed.length === 0) return undefined;
  const exposing = gateways.filter((gateway) => gateway !== "mesh");
  const names = hosts.map(({ host }) => host).join(", ");
  const routes = (isOwn ? http : routed).map((route) => {
    const when = route.matches.length === 0 ? "every request" : `${route.matches.length} matches`;
    const to = route.destinations.map(
      ({ destination: { host, subset }, weight }) => `${weight}% to ${host.host}${subset ? ` subset ${subset}` : ""}`,
    );
    return `${route.name === "" ? "" : `${route.name}: `}${when}: ${to.join(", ") || "answered or handed over"}`;
  });
  return [
    ...(gateways.includes("mesh") ? [`for callers in the mesh, hosts ${names}`] : []),
    ...exposing.map((gateway) => `exposes it at gateway ${gateway}, hosts ${names}`),
    ...routes,
  ];
}

function destinationRuleLines(
  { host, trafficPolicy, subsets }: DestinationRuleSpec,
  service: ListedService,
): string[] | undefined {
  if (!means(host, service)) return undefined;
  return [
    trafficPolicy === undefined ? "no policy of its own" : "a traffic policy for all of it",
    ...subsets.map(({ name, labels, trafficPolicy: own }) => {
      const count = service.instances.filter((instance) => hasLabels(instance.labels, labels)).length;
      const policy = own === undefined ? "" : ", with a policy of its own";
      return `subset ${name} (${labelsText(labels)}): ${count} ${count === 1 ? "instance" : "instances"}${policy}`;
    }),
  ];
}

function means({ host, service: named }: HostRef, service: ListedService): boolean {
  if (named !== undefined) return named.namespace === service.namespace && named.service === service.name;
  const own = hostOf(service);
  return host === own || host === "*" || (host.startsWith("*.") && own.endsWith(host.slice(1)));
}

function hostOf({ namespace, name }: ListedService): string {
  return serviceHost({ namespace, service: name });
}

function hasLabels(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

export function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? "all instances" : pairs.join(",");
}

/** The services that a word means: `reviews`, `reviews.default`, or the full host. */
export function servicesNamed(services: readonly ListedService[], word: string): readonly ListedService[] {
  const named = resolveHost(word, "");
  return services.filter(({ name, namespace }) =>
    named === undefined || named.namespace === ""
      ? name === word
      : named.service === name && named.namespace === namespace,
  );
}
