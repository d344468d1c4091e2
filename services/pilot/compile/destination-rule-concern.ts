import { DESTINATION_RULE, isKind, type ParsedResource } from "../../../shared/model/index.ts";
import { type Affected, affected, merged, NOTHING } from "./affected.ts";
import type { Concern, Oddity } from "./concern.ts";
import type { AboutService, DestinationRule, DestinationRules } from "./destination-rules.ts";
import { isWildcard } from "./host-patterns.ts";
import type { MeshDefaults } from "./mesh-defaults.ts";
import type { RouteRules } from "./route-rules.ts";
import type { ServiceHosts } from "./service-hosts.ts";
import { meantHosts, type ServiceCatalog } from "./services.ts";
import type { VirtualServices } from "./virtual-services.ts";

export interface DestinationRuleConcernOptions {
  readonly services: ServiceCatalog;
  readonly hosts: ServiceHosts;
  readonly rules: DestinationRules;
  readonly mesh: MeshDefaults;
  readonly virtualServices: VirtualServices;
  readonly routeRules: RouteRules;
}

/**
 * What is compiled again when a DestinationRule changes: the services that it is about, for their policies, and all that sends to them,
 * for the labels of subsets and for what requests are hashed by.
 */
export class DestinationRuleConcern implements Concern {
  readonly kinds = ["destinationrule"];
  readonly #options: DestinationRuleConcernOptions;

  constructor(options: DestinationRuleConcernOptions) {
    this.#options = options;
  }

  get rules(): DestinationRules {
    return this.#options.rules;
  }

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    const { rules, mesh } = this.#options;
    const before = rules.put(rule, revision, resource, mesh.spec?.defaultDestinationRuleExportTo);
    return this.#changed(before, rules.get(rule));
  }

  remove(rule: string): Affected {
    return this.#changed(this.#options.rules.take(rule));
  }

  touchedBy(rule: string): Affected {
    const entry = this.#options.rules.get(rule);
    return entry === undefined ? NOTHING : affected({ services: this.#about(meantHosts(entry.spec.host)) });
  }

  /** Those that do not say who sees them are seen by others now. */
  defaultsChanged(): Affected {
    const { rules, mesh } = this.#options;
    rules.setDefaultExportTo(mesh.spec?.defaultDestinationRuleExportTo);
    return NOTHING;
  }

  /** The newest revision of those about a service, for whichever callers. */
  revisionFor(service: AboutService): number {
    return this.#options.rules.revisionFor(service);
  }

  /** Subsets that a new version leaves out although routes in force name them. */
  odditiesOf(rule: string, resource: ParsedResource): Oddity[] {
    const { rules, virtualServices } = this.#options;
    const before = rules.get(rule);
    if (before === undefined || !isKind(resource, DESTINATION_RULE)) return [];
    const kept = new Set(resource.parsed.subsets.map(({ name }) => name));
    const hosts = meantHosts(before.spec.host);
    const users = [...new Set(hosts.flatMap((host) => [...virtualServices.inForce.sendingTo(host)]))].sort();
    return before.spec.subsets.flatMap(({ name }): Oddity[] => {
      if (kept.has(name)) return [];
      const using = users.filter((user) => virtualServices.inForce.names(user, hosts, name));
      if (using.length === 0) return [];
      const reason = `subset ${name} is left out, but ${using.join(", ")} sends to it: the labels that it had stay there`;
      return [{ reason, remedy: "change the route first, or give the subset again" }];
    });
  }

  #changed(...entries: readonly (DestinationRule | undefined)[]): Affected {
    const hosts = [...new Set(entries.flatMap((entry) => (entry === undefined ? [] : meantHosts(entry.spec.host))))];
    const about = this.#about(hosts);
    const { routeRules, virtualServices } = this.#options;
    return merged(
      affected({ services: [...new Set([...about, ...about.flatMap((key) => routeRules.dependents(key))])] }),
      virtualServices.destinationRulesChanged(hosts),
    );
  }

  /** Keys of the services of these hosts, or that a wildcard among them stands for. */
  #about(hosts: readonly string[]): string[] {
    const { services, hosts: known } = this.#options;
    const keys = hosts.flatMap((host) =>
      isWildcard(host) ? [...services.keysOf(host), ...known.fitting(host)] : services.keysOf(host),
    );
    return [...new Set(keys)];
  }
}
