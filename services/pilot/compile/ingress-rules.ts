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
import type { ServiceSource } from "./services.ts";
import { StringIndex } from "./string-index.ts";
import { serviceKeyOf, toGatewayRoute } from "./translation.ts";

/** The gateway that ingress rules are for. */
export const INGRESS_GATEWAY = { namespace: ROOT_NAMESPACE, name: "istio-ingress" } as const;

/** Its key in table `gateway`. */
export const INGRESS_GATEWAY_KEY = tableKey(INGRESS_GATEWAY.namespace, INGRESS_GATEWAY.name);

interface Entry {
  readonly rule: string;
  readonly revision: number;
  readonly destination: string;
  readonly spec: IngressRuleSpec;
}

/** IngressRules of the older dialect: what the one gateway that they know lets in. */
export class IngressRules implements Concern {
  readonly kinds = ["ingressrule"];
  readonly #services: ServiceSource;
  readonly #entries = new Map<string, Entry>();
  readonly #byService = new StringIndex();

  constructor(services: ServiceSource) {
    this.#services = services;
  }

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    if (!isKind(resource, INGRESS_RULE)) return NOTHING;
    this.#take(rule);
    const destination = serviceKeyOf(resource.parsed.destination);
    if (destination !== undefined) {
      this.#entries.set(rule, { rule, revision, destination, spec: resource.parsed });
      this.#byService.add(destination, rule);
    }
    return affected({ gateways: [INGRESS_GATEWAY_KEY] });
  }

  remove(rule: string): Affected {
    return this.#take(rule) ? affected({ gateways: [INGRESS_GATEWAY_KEY] }) : NOTHING;
  }

  touchedBy(rule: string): Affected {
    return this.#entries.has(rule) ? affected({ gateways: [INGRESS_GATEWAY_KEY] }) : NOTHING;
  }

  /** A service came, went or changed its ports. */
  serviceChanged(key: string): Affected {
    return this.#byService.has(key) ? affected({ gateways: [INGRESS_GATEWAY_KEY] }) : NOTHING;
  }

  /** Of all rules whose destination is known, in the order in which they are tried. */
  routes(): { readonly target: string; readonly route: GatewayRouteInput }[] {
    const found: { entry: Entry; target: string; route: GatewayRouteInput }[] = [];
    for (const entry of this.#entries.values()) {
      const service = this.#services.service(entry.destination);
      if (service === undefined) continue;
      const route = toGatewayRoute(entry.rule, entry.revision, entry.spec, service.ports);
      if (route !== undefined) found.push({ entry, target: entry.destination, route });
    }
    return found.sort((a, b) => compare(a.entry, b.entry));
  }

  #take(rule: string): boolean {
    const entry = this.#entries.get(rule);
    if (entry === undefined) return false;
    this.#entries.delete(rule);
    this.#byService.remove(entry.destination, rule);
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
