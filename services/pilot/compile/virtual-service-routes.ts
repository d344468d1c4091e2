import { type DestinationSpec, type Labels, MESH_GATEWAY } from "../../../shared/model/index.ts";
import { type DestinationInput, type RouteInput, tableKey } from "../../../shared/wire/index.ts";
import { type Expansion, expand } from "./delegation.ts";
import type { AboutService, DestinationRules } from "./destination-rules.ts";
import { toHttpRoute } from "./http-route.ts";
import { sortedLabels } from "./labels.ts";
import type { MeshDefaults } from "./mesh-defaults.ts";
import { placeOf } from "./places.ts";
import type { MatchBlock } from "./route-match.ts";
import { hostOfKey, type ServiceCatalog } from "./services.ts";
import type { SubsetMemory } from "./subset-memory.ts";
import type { VirtualService } from "./virtual-service.ts";
import type { VirtualServiceIndex } from "./virtual-service-index.ts";

export interface RouteBuilderOptions {
  readonly services: ServiceCatalog;
  readonly rules: DestinationRules;
  readonly memory: SubsetMemory;
  readonly mesh: MeshDefaults;
  readonly inForce: VirtualServiceIndex;
}

/** Who asks for routes. */
export interface Asking {
  /** `mesh`, or the Gateway (`<namespace>/<name>`). */
  readonly gateway: string;
  /** Undefined: callers of no namespace in particular. */
  readonly namespace: string | undefined;
  /** Key in table `service` whose routes they are; undefined at gateways. */
  readonly service: string | undefined;
}

/** Labels that no instance has: of a subset that nobody has ever defined. */
const UNKNOWN_SUBSET = "networking.istio.io/subset";

/** Makes the routes of VirtualServices in force, as one group of callers sees them. */
export class RouteBuilder {
  readonly #options: RouteBuilderOptions;

  constructor(options: RouteBuilderOptions) {
    this.#options = options;
  }

  /** In their order; one for each match block. */
  routes(active: VirtualService, asking: Asking): RouteInput[] {
    if (active.frozen !== undefined) return frozenRoutes(active, asking, active.rule);
    const routes: RouteInput[] = [];
    for (const item of this.expansion(active).routes) {
      if ("frozen" in item) {
        const delegated = frozenRoutes(item.frozen, asking, active.rule);
        // One delegate may be named several times, but was written once.
        if (!routes.some(({ delegate }) => delegate === item.frozen.rule)) routes.push(...delegated);
        continue;
      }
      const owner = item.delegate ?? active;
      for (const block of item.blocks) {
        if (!isFor(block, asking.gateway)) continue;
        routes.push(
          toHttpRoute(item.spec, atGateway(block, asking.gateway), {
            rule: active.rule,
            revision: active.revision,
            ...(item.delegate && { delegate: item.delegate }),
            place: (destination) => this.#place(destination, owner, asking.namespace),
            defaultRetries: this.#options.mesh.spec?.defaultHttpRetryPolicy,
          }),
        );
      }
    }
    return routes;
  }

  /** With what it delegates to in place. */
  expansion(active: VirtualService): Expansion {
    return expand(active, (rule) => this.#options.inForce.get(rule));
  }

  #place(destination: DestinationSpec, owner: VirtualService, callerNamespace: string | undefined): DestinationInput {
    const { services } = this.#options;
    const { host, subset } = destination;
    const key = services.resolve(host, owner.namespace) ?? goneKey(destination, owner);
    const place = placeOf(key);
    if (subset === "") return place;
    const about = { host: hostOfKey(key, services), namespace: place.namespace };
    const labels = this.#subsetLabels(about, key, subset, owner, callerNamespace);
    return { ...place, labels: sortedLabels(labels), subset };
  }

  /**
   * As the caller's own rules say; where they do not speak of the subset, as whoever wrote the route sees it, or anybody; else
   * as it was last.
   */
  #subsetLabels(
    about: AboutService,
    key: string,
    subset: string,
    owner: VirtualService,
    callerNamespace: string | undefined,
  ): Labels {
    const { rules, memory } = this.#options;
    const found =
      rules.subsetLabels(callerNamespace, about, subset) ??
      rules.subsetLabels(owner.namespace, about, subset) ??
      rules.anySubsetLabels(about, subset);
    if (found === undefined) {
      return memory.labels(owner.rule, callerNamespace ?? "", key, subset) ?? { [UNKNOWN_SUBSET]: subset };
    }
    memory.note(owner.rule, callerNamespace ?? "", key, subset, found);
    return found;
  }
}

/** The key that a destination had, or would have, now that nobody knows it. */
function goneKey({ host }: DestinationSpec, owner: VirtualService): string {
  return host.service === undefined
    ? tableKey(owner.namespace, host.host)
    : tableKey(host.service.namespace, host.service.service);
}

/** Those of `rule`, which is the frozen one or delegates to it. */
function frozenRoutes({ frozen }: VirtualService, { service, namespace }: Asking, rule: string): RouteInput[] {
  if (frozen === undefined) return [];
  if (service === undefined) return [...frozen.delegatedAt(namespace ?? "", rule)];
  return frozen.ofService(service, namespace).filter((route) => route.rule === rule);
}

function isFor({ gateways }: MatchBlock, gateway: string): boolean {
  return gateways.length === 0 || gateways.includes(gateway);
}

/** At a gateway the match says which one; that it is for sidecars goes without saying. */
function atGateway(block: MatchBlock, gateway: string): MatchBlock {
  if (gateway === MESH_GATEWAY) return block;
  return { ...block, match: { ...block.match, gateways: [gateway] } };
}
