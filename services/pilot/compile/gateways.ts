import { GATEWAY, isKind, type Labels, type ParsedResource } from "../../../shared/model/index.ts";
import type { GatewayConfig } from "../../../shared/wire/index.ts";
import { type Affected, affected, NOTHING } from "./affected.ts";
import { agedOf } from "./age.ts";
import type { Concern } from "./concern.ts";
import { satisfies } from "./entry-endpoints.ts";
import {
  type BoundRoutes,
  type FrozenAtGateway,
  type GatewayContent,
  type GatewayEntry,
  gatewayContent,
} from "./gateway-routes.ts";
import type { CompiledService } from "./services.ts";

/** The VirtualServices in force, as gateways ask for them. */
export interface GatewayRouting {
  /** Bound to a Gateway (`<namespace>/<name>`). */
  boundTo(gateway: string): Iterable<BoundRoutes>;
  /** Those of which only the routes at the workload with this key are known; `namespace` is its own. */
  frozenAt(key: string, namespace: string): Iterable<FrozenAtGateway>;
}

/**
 * Gateway resources, and the workloads that they choose by their labels: registered services whose instances are gateways. Each such
 * service has one key in table `gateway`, for all of its instances; it is chosen when one of them is.
 *
 * A service without instances keeps the labels that it had last, so that a gateway which restarts finds its routes. A new leader
 * does not know those; it goes on with the Gateways that the written value names.
 */
export class Gateways implements Concern {
  readonly kinds = ["gateway"];
  readonly #entries = new Map<string, GatewayEntry>();
  /** Key in table `gateway` -> the labels of each of the service's instances. */
  readonly #workloads = new Map<string, readonly Labels[]>();
  /** Rules of the Gateways that chose a workload, until its labels are known. */
  readonly #restored = new Map<string, ReadonlySet<string>>();
  readonly #routing: GatewayRouting;

  constructor(routing: GatewayRouting) {
    this.#routing = routing;
  }

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    if (!isKind(resource, GATEWAY)) return NOTHING;
    const { namespace, name } = resource.resource.metadata;
    const before = this.#entries.get(rule);
    const entry = {
      ...agedOf(resource.resource),
      revision,
      namespace,
      id: `${namespace}/${name}`,
      spec: resource.parsed,
    };
    this.#entries.set(rule, entry);
    return affected({ gateways: this.#chosenBy(before, entry) });
  }

  remove(rule: string): Affected {
    const before = this.#entries.get(rule);
    this.#entries.delete(rule);
    return affected({ gateways: this.#chosenBy(before) });
  }

  touchedBy(rule: string): Affected {
    return affected({ gateways: this.#chosenBy(this.#entries.get(rule)) });
  }

  /** A VirtualService that is bound to these Gateways came, went or changed. */
  routesChanged(gateways: Iterable<string>): Affected {
    const ids = new Set(gateways);
    return affected({ gateways: this.#chosenBy(...[...this.#entries.values()].filter(({ id }) => ids.has(id))) });
  }

  /** Takes over what an earlier leader wrote for the workload with this key. */
  restore(key: string, { servers }: Pick<GatewayConfig, "servers">): void {
    this.#restored.set(key, new Set(servers.map(({ rule }) => rule)));
  }

  /** A registered service or its instances came, went or changed; undefined: it is gone. */
  serviceChanged(key: string, service: CompiledService | undefined): Affected {
    const before = this.#workloads.get(key);
    if (service?.gateway !== true) {
      this.#restored.delete(key);
      return this.#workloads.delete(key) ? affected({ gateways: [key] }) : NOTHING;
    }
    const labels = (service.endpoints ?? []).map((endpoint) => endpoint.labels ?? {});
    if (labels.length === 0 && before !== undefined) return NOTHING;
    if (labels.length > 0) this.#restored.delete(key);
    if (JSON.stringify(before) === JSON.stringify(labels)) return NOTHING;
    this.#workloads.set(key, labels);
    return affected({ gateways: [key] });
  }

  /** Keys in table `gateway` of the workloads that are known. */
  keys(): Iterable<string> {
    return this.#workloads.keys();
  }

  has(key: string): boolean {
    return this.#workloads.has(key);
  }

  /** What the workload with this key serves; `namespace` is its own. */
  content(key: string, namespace: string): GatewayContent {
    const entries = [...this.#entries.values()].filter((entry) => this.#chooses(entry, key));
    const boundTo = (gateway: string) => this.#routing.boundTo(gateway);
    return gatewayContent(namespace, entries, boundTo, [...this.#routing.frozenAt(key, namespace)]);
  }

  #chosenBy(...entries: readonly (GatewayEntry | undefined)[]): string[] {
    const keys = [...this.#workloads.keys()];
    return keys.filter((key) => entries.some((entry) => entry !== undefined && this.#chooses(entry, key)));
  }

  #chooses({ rule, spec }: GatewayEntry, key: string): boolean {
    const restored = this.#restored.get(key);
    if (restored !== undefined) return this.#workloads.has(key) && restored.has(rule);
    return this.#workloads.get(key)?.some((labels) => satisfies(labels, spec.selector)) === true;
  }
}
