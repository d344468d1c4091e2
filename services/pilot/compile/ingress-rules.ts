import {
  INGRESS_RULE,
  type IngressRuleSpec,
  isKind,
  type ParsedResource,
  ROOT_NAMESPACE,
} from "../../../shared/model/index.ts";
import { type GatewayRouteInput, tableKey } from "../../../shared/wire/index.ts";
import { type Affected, affected, NOTHING } from "./affected.ts";
import type { Concern } from "./concern.ts";
import { meantHosts, type ServiceCatalog } from "./services.ts";
import { StringIndex } from "./string-index.ts";
import { toGatewayRoute } from "./translation.ts";

/** The gateway that ingress rules are for. */
export const INGRESS_GATEWAY = { namespace: ROOT_NAMESPACE, name: "istio-ingress" } as const;

/** Its key in table `gateway`. */
export const INGRESS_GATEWAY_KEY = tableKey(INGRESS_GATEWAY.namespace, INGRESS_GATEWAY.name);

interface Entry {
  readonly rule: string;
  readonly revision: number;
  readonly namespace: string;
  readonly spec: IngressRuleSpec;
}

/** IngressRules of the older dialect: what the one gateway that they know lets in. */
export class IngressRules implements Concern {
  readonly kinds = ["ingressrule"];
  readonly #services: ServiceCatalog;
  readonly #entries = new Map<string, Entry>();
  readonly #byHost = new StringIndex();

  constructor(services: ServiceCatalog) {
    this.#services = services;
  }

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    if (!isKind(resource, INGRESS_RULE)) return NOTHING;
    this.#take(rule);
    const { namespace } = resource.resource.metadata;
    this.#entries.set(rule, { rule, revision, namespace, spec: resource.parsed });
    for (const host of meantHosts(resource.parsed.destination)) this.#byHost.add(host, rule);
    return affected({ gateways: [INGRESS_GATEWAY_KEY] });
  }

  remove(rule: string): Affected {
    return this.#take(rule) ? affected({ gateways: [INGRESS_GATEWAY_KEY] }) : NOTHING;
  }

  touchedBy(rule: string): Affected {
    return this.#entries.has(rule) ? affected({ gateways: [INGRESS_GATEWAY_KEY] }) : NOTHING;
  }

  /** The service of a host came, went or changed its ports. */
  hostChanged(host: string): Affected {
    return this.#byHost.has(host) ? affected({ gateways: [INGRESS_GATEWAY_KEY] }) : NOTHING;
  }

  /** Of all rules whose destination is known, in the order in which they are tried. */
  routes(): { readonly target: string; readonly route: GatewayRouteInput }[] {
    const found: { entry: Entry; target: string; route: GatewayRouteInput }[] = [];
    for (const entry of this.#entries.values()) {
      const target = this.#services.resolve(entry.spec.destination, entry.namespace);
      const service = target === undefined ? undefined : this.#services.service(target);
      if (target === undefined || service === undefined) continue;
      const route = toGatewayRoute(entry.rule, entry.revision, entry.spec, service);
      if (route !== undefined) found.push({ entry, target, route });
    }
    return found.sort((a, b) => compare(a.entry, b.entry));
  }

  #take(rule: string): boolean {
    const entry = this.#entries.get(rule);
    if (entry === undefined) return false;
    this.#entries.delete(rule);
    for (const host of meantHosts(entry.spec.destination)) this.#byHost.remove(host, rule);
    return true;
  }
}

/** Exact paths first, then prefixes from long to short, then all others; among equals precedence, then key. */
function compare(a: Entry, b: Entry): number {
  const [rankA, lengthA] = uriRank(a.spec);
  const [rankB, lengthB] = uriRank(b.spec);
  return rankA - rankB || lengthB - lengthA || b.spec.precedence - a.spec.precedence || (a.rule < b.rule ? -1 : 1);
}

function uriRank(spec: IngressRuleSpec): [rank: number, length: number] {
  const uri = spec.match?.headers.find((header) => header.name === "uri")?.match;
  if (uri === undefined || "regex" in uri) return [2, 0];
  return "exact" in uri ? [0, 0] : [1, uri.prefix.length];
}
