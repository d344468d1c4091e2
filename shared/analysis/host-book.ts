import {
  type DestinationRuleSpec,
  type EgressRuleSpec,
  type ExportTo,
  ROOT_NAMESPACE,
  type ServiceEntrySpec,
  type ServiceName,
  serviceHost,
} from "../model/index.ts";
import { HostPatterns } from "./host-patterns.ts";
import type { Item, MeshIndex } from "./mesh-index.ts";
import type { KnownPort, KnownService } from "./world.ts";

/** What a host means to somebody. */
export type FoundHost =
  | { readonly kind: "service"; readonly service: KnownService; readonly ports: readonly KnownPort[] }
  | { readonly kind: "entry"; readonly entry: Item<"ServiceEntry">; readonly ports: readonly KnownPort[] }
  | { readonly kind: "egress"; readonly ports: readonly KnownPort[] }
  /** A VirtualService gives it a meaning, though nothing serves it. */
  | { readonly kind: "virtual" }
  /** It may be a service of which nothing is known. */
  | { readonly kind: "unknowable" }
  /** A ServiceEntry has it, for other namespaces. */
  | { readonly kind: "hidden"; readonly entry: Item<"ServiceEntry"> };

export type Exported = Item<"VirtualService" | "DestinationRule" | "ServiceEntry">;

/** A host as either dialect names it. */
export interface NamedHost {
  readonly host: string;
  readonly service: ServiceName | undefined;
}

/** Hosts and what they mean, and which DestinationRule holds for whom: the look-ups of Pilot, for people. */
export class HostBook {
  readonly #index: MeshIndex;
  readonly #entries = new HostPatterns<Item<"ServiceEntry">>();
  readonly #egress = new HostPatterns<Item<"EgressRule">>();
  readonly #virtual = new HostPatterns<Item<"VirtualService">>();
  /** Namespace -> its rules. */
  readonly #rules = new Map<string, HostPatterns<Item<"DestinationRule">>>();
  /** Kind -> whom its resources are exported to unless they say so. */
  readonly #defaults: Readonly<Record<string, ExportTo | undefined>>;
  readonly #anyRules = new HostPatterns<Item<"DestinationRule">>();

  constructor(index: MeshIndex) {
    this.#index = index;
    const mesh = index.all("MeshConfig")[0]?.spec;
    this.#defaults = {
      VirtualService: mesh?.defaultVirtualServiceExportTo,
      DestinationRule: mesh?.defaultDestinationRuleExportTo,
      ServiceEntry: mesh?.defaultServiceExportTo,
    };
    for (const entry of index.all("ServiceEntry")) for (const host of entry.spec.hosts) this.#entries.add(host, entry);
    for (const rule of index.all("EgressRule")) this.#egress.add(rule.spec.service.toLowerCase(), rule);
    for (const item of index.all("VirtualService"))
      for (const host of item.spec.hosts) for (const name of namesOf(host)) this.#virtual.add(name, item);
    for (const item of index.all("DestinationRule")) {
      const { namespace } = item.key;
      const patterns = this.#rules.get(namespace) ?? new HostPatterns();
      this.#rules.set(namespace, patterns);
      for (const name of namesOf(item.spec.host)) {
        patterns.add(name, item);
        this.#anyRules.add(name, item);
      }
    }
  }

  /** Undefined: it means nothing. `asDestination`: somebody has to serve it. */
  find(host: NamedHost, callerNamespace: string, asDestination = true): FoundHost | undefined {
    const { service } = host;
    if (service !== undefined) {
      const known = this.#index.service(service.namespace, service.service);
      if (known !== undefined) return { kind: "service", service: known, ports: known.ports };
    }
    let hidden: Item<"ServiceEntry"> | undefined;
    for (const name of namesOf(host)) {
      for (const entries of this.#entries.fitting(name)) {
        for (const entry of entries) {
          if (this.isVisible(entry, callerNamespace)) return { kind: "entry", entry, ports: entryPorts(entry.spec) };
          hidden ??= entry;
        }
      }
      for (const [rule] of this.#egress.fitting(name))
        if (rule !== undefined) return { kind: "egress", ports: egressPorts(rule.spec) };
      if (!asDestination) for (const _ of this.#virtual.fitting(name)) return { kind: "virtual" };
    }
    if (service !== undefined && !this.#index.knowsServices) return { kind: "unknowable" };
    return hidden === undefined ? undefined : { kind: "hidden", entry: hidden };
  }

  /** Whether any service or entry fits a pattern, in a namespace or (`*`) in any. */
  anyFits(namespace: string, pattern: string): boolean {
    const isIn = (of: string): boolean => namespace === "*" || of === namespace;
    const suffix = pattern.startsWith("*") ? pattern.slice(1) : undefined;
    const fits = (host: string): boolean => (suffix === undefined ? host === pattern : host.endsWith(suffix));
    for (const service of this.#index.world.services ?? []) {
      const name = { namespace: service.namespace, service: service.name };
      if (isIn(service.namespace) && (fits(serviceHost(name)) || pattern === service.name)) return true;
    }
    for (const [host, entries] of this.#entries.entries())
      if (fits(host) && entries.some(({ key }) => isIn(key.namespace))) return true;
    for (const [host, rules] of this.#egress.entries())
      if (fits(host) && rules.some(({ key }) => isIn(key.namespace))) return true;
    return false;
  }

  /**
   * The rules in force for what callers of a namespace send to a host, oldest first: those of the caller's namespace, else
   * of the service's, else of the mesh's root.
   */
  rulesFor(host: NamedHost, callerNamespace: string): readonly Item<"DestinationRule">[] {
    const found = this.find(host, callerNamespace);
    const serviceNamespace = found?.kind === "entry" ? found.entry.key.namespace : host.service?.namespace;
    for (const namespace of new Set([callerNamespace, serviceNamespace, ROOT_NAMESPACE])) {
      if (namespace === undefined) continue;
      for (const name of namesOf(host)) {
        for (const rules of this.#rules.get(namespace)?.fitting(name) ?? []) {
          const visible = rules.filter((rule) => this.isVisible(rule, callerNamespace));
          if (visible.length > 0) return visible;
        }
      }
    }
    return [];
  }

  /** Every rule that fits the host, wherever it stands and whoever may see it. */
  *anyRulesFor(host: NamedHost): Generator<Item<"DestinationRule">> {
    for (const name of namesOf(host)) for (const rules of this.#anyRules.fitting(name)) yield* rules;
  }

  /** Namespaces that see a resource: what it says, else what MeshConfig says, else `*`. */
  exportTo(item: Exported): ExportTo {
    if (item.spec.exportTo.length > 0) return item.spec.exportTo;
    const defaults = this.#defaults[item.key.kind] ?? ["*"];
    return defaults.map((namespace) => (namespace === "." ? item.key.namespace : namespace));
  }

  /** Whether callers of a namespace see a resource. */
  isVisible(item: Exported, callerNamespace: string): boolean {
    const namespaces = this.exportTo(item);
    return namespaces.includes("*") || namespaces.includes(callerNamespace);
  }

  /** VirtualServices whose hosts fit, most specific first. */
  *virtualServicesFor(host: NamedHost): Generator<readonly Item<"VirtualService">[]> {
    for (const name of namesOf(host)) yield* this.#virtual.fitting(name);
  }
}

/** The host, and the full name of the service that it may mean. */
export function namesOf({ host, service }: NamedHost): readonly string[] {
  if (service === undefined) return [host];
  const full = serviceHost(service);
  return full === host ? [full] : [full, host];
}

/** The name under which a host is counted: a service's full name where it may be one. */
export function canonical(host: NamedHost): string {
  return namesOf(host)[0] ?? host.host;
}

/** The subset of that name, among rules that are merged: the first definition stands. */
export function subsetIn(
  rules: readonly Item<"DestinationRule">[],
  name: string,
): { readonly rule: Item<"DestinationRule">; readonly subset: DestinationRuleSpec["subsets"][number] } | undefined {
  for (const rule of rules) {
    const subset = rule.spec.subsets.find((each) => each.name === name);
    if (subset !== undefined) return { rule, subset };
  }
  return undefined;
}

/** The ports of what a host means; undefined when that is not known. */
export function portsOf(found: FoundHost | undefined): readonly KnownPort[] | undefined {
  return found !== undefined && "ports" in found ? found.ports : undefined;
}

/** On an https port the application speaks HTTP, and the proxy TLS. */
function egressPorts({ ports }: EgressRuleSpec): readonly KnownPort[] {
  return ports.map(({ port, protocol }) => {
    const spoken = protocol.toLowerCase();
    return { number: port, protocol: spoken === "https" ? "http" : spoken, name: "" };
  });
}

function entryPorts(spec: ServiceEntrySpec): readonly KnownPort[] {
  return spec.ports.map(({ number, protocol, name }) => ({ number, protocol, name }));
}
