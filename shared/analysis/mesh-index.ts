import {
  type DestinationPolicySpec,
  type DestinationRuleSpec,
  type EgressRuleSpec,
  type GatewaySpec,
  type IngressRuleSpec,
  type Labels,
  type MeshConfigSpec,
  type ParsedResource,
  type QuotaSpecBindingSpec,
  type QuotaSpecSpec,
  type Resource,
  type ResourceKey,
  ROOT_NAMESPACE,
  type RouteRuleSpec,
  type ServiceEntrySpec,
  type SidecarSpec,
  type VirtualServiceSpec,
  type WorkloadEntrySpec,
} from "../model/index.ts";
import type { CompiledRule } from "../policy/index.ts";
import { HostBook } from "./host-book.ts";
import { type KnownWorkload, WorkloadBook } from "./workload-book.ts";
import type { KnownService, World } from "./world.ts";

/** What the valid spec of each kind is; kinds that are not here are only counted and judged by their own schema. */
export interface SpecsByKind {
  VirtualService: VirtualServiceSpec;
  DestinationRule: DestinationRuleSpec;
  Gateway: GatewaySpec;
  ServiceEntry: ServiceEntrySpec;
  WorkloadEntry: WorkloadEntrySpec;
  Sidecar: SidecarSpec;
  MeshConfig: MeshConfigSpec;
  RouteRule: RouteRuleSpec;
  DestinationPolicy: DestinationPolicySpec;
  EgressRule: EgressRuleSpec;
  IngressRule: IngressRuleSpec;
  QuotaSpec: QuotaSpecSpec;
  QuotaSpecBinding: QuotaSpecBindingSpec;
  rule: CompiledRule;
}

/** A valid resource of a kind. */
export interface Item<K extends keyof SpecsByKind> {
  readonly key: ResourceKey;
  readonly resource: Resource;
  readonly spec: SpecsByKind[K];
}

/** A world in which everything is found at once; made once for an analysis and shared by all its checks. */
export class MeshIndex {
  readonly world: World;
  readonly hosts: HostBook;
  readonly workloads: WorkloadBook;
  /** Every namespace that has a service or a resource, or was named as there. */
  readonly namespaces: ReadonlySet<string>;
  readonly #byKind = new Map<string, Item<keyof SpecsByKind>[]>();
  readonly #byKey = new Map<string, Item<keyof SpecsByKind>>();
  readonly #parsed = new Map<string, ParsedResource>();
  readonly #named = new Set<string>();
  readonly #gatewayNamespaces = new Map<string, ReadonlySet<string>>();
  readonly #services = new Map<string, KnownService>();

  constructor(world: World) {
    this.world = world;
    for (const { key, parsed } of world.resources) {
      this.#named.add(idOf(key.kind, key.namespace, key.name));
      if (parsed === undefined) continue;
      const item = { key, resource: parsed.resource, spec: parsed.parsed as SpecsByKind[keyof SpecsByKind] };
      const id = idOf(key.kind, key.namespace, key.name);
      this.#byKey.set(id, item);
      this.#parsed.set(id, parsed);
      const items = this.#byKind.get(key.kind);
      if (items === undefined) this.#byKind.set(key.kind, [item]);
      else items.push(item);
    }
    for (const items of this.#byKind.values()) items.sort(byAge);
    for (const service of world.services ?? []) this.#services.set(`${service.namespace}/${service.name}`, service);
    this.namespaces = new Set([
      ROOT_NAMESPACE,
      ...world.namespaces,
      ...world.resources.map(({ key }) => key.namespace),
      ...(world.services ?? []).map(({ namespace }) => namespace),
    ]);
    this.workloads = new WorkloadBook(world);
    this.hosts = new HostBook(this);
  }

  /** Whether it is known which services there are. */
  get knowsServices(): boolean {
    return this.world.services !== undefined;
  }

  /** Whether it is known which instances there are: files may name services without what is behind them. */
  get knowsWorkloads(): boolean {
    return this.world.live !== undefined || this.workloads.size > 0;
  }

  /** Whether it is known which gateways there are. */
  get knowsGateways(): boolean {
    return this.world.live !== undefined || this.workloads.hasGateways;
  }

  /** The valid ones, oldest first. */
  all<K extends keyof SpecsByKind>(kind: K): readonly Item<K>[] {
    return (this.#byKind.get(kind) ?? []) as unknown as readonly Item<K>[];
  }

  get<K extends keyof SpecsByKind>(kind: K, namespace: string, name: string): Item<K> | undefined {
    return this.#byKey.get(idOf(kind, namespace, name)) as unknown as Item<K> | undefined;
  }

  /** Any kind. Undefined for what is not valid. */
  parsed({ kind, namespace, name }: ResourceKey): ParsedResource | undefined {
    return this.#parsed.get(idOf(kind, namespace, name));
  }

  /** Whether there is such a resource, valid or not: the reference is then right, and the fault is told elsewhere. */
  exists(kind: string, namespace: string, name: string): boolean {
    return this.#named.has(idOf(kind, namespace, name));
  }

  /** The gateways that carry all of the labels. */
  gateways(selector: Labels): readonly KnownWorkload[] {
    return [...this.workloads.selected(selector)].filter(({ instance }) => instance.gateway !== false);
  }

  /** The namespaces of the workloads of a Gateway, `<namespace>/<name>`; empty when none is known. */
  gatewayNamespaces(gateway: string): ReadonlySet<string> {
    const known = this.#gatewayNamespaces.get(gateway);
    if (known !== undefined) return known;
    const [namespace = "", name = ""] = gateway.split("/");
    const item = this.get("Gateway", namespace, name);
    const workloads = item === undefined ? [] : this.gateways(item.spec.selector);
    const namespaces = new Set(workloads.map((workload) => workload.namespace));
    this.#gatewayNamespaces.set(gateway, namespaces);
    return namespaces;
  }

  service(namespace: string, name: string): KnownService | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }
}

function idOf(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

/** What has never been applied is the youngest; of two of one age, the first by namespace and name. */
function byAge(a: { readonly resource: Resource }, b: { readonly resource: Resource }): number {
  const [x, y] = [a.resource.metadata, b.resource.metadata];
  const times = compare(x.creationTimestamp ?? "9999", y.creationTimestamp ?? "9999");
  return times || compare(`${x.namespace}/${x.name}`, `${y.namespace}/${y.name}`);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
