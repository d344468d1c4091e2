import type { EgressScope } from "../../services/proxy/mesh/egress-scope.ts";
import { hostsInScope } from "../../services/proxy/mesh/host-book.ts";
import { splitAuthority } from "../../services/proxy/route/authority.ts";
import { resolveHost } from "../../shared/model/index.ts";
import type { ServiceConfig } from "../../shared/wire/index.ts";
import { consideredHosts } from "./considered.ts";
import type { ConsideredExplained } from "./explanation.ts";
import type { MeshSource } from "./mesh-source.ts";

/** What a host means to a sidecar, found in the order of its resolve filter: a service's name, then the namespace's hosts. */
export interface ResolvedHost {
  /** Undefined: a host outside of the mesh. */
  readonly config: ServiceConfig | undefined;
  /** Whether configuration says that the host is a service's: then it is that one or none. */
  readonly named: boolean;
  /** Of the authority; undefined when it names none. */
  readonly port: number | undefined;
  readonly considered: readonly ConsideredExplained[];
}

export async function resolveAuthority(
  authority: string,
  callerNamespace: string,
  source: MeshSource,
  scope: EgressScope | undefined,
): Promise<ResolvedHost> {
  const { host, port } = splitAuthority(authority);
  const considered: ConsideredExplained[] = [];
  const named = resolveHost(host, callerNamespace);
  if (named !== undefined) {
    const rule = `service ${named.service}.${named.namespace}`;
    const inScope = scope === undefined || scope.admitsService(named);
    const config = inScope ? await source.service(named.namespace, named.service) : undefined;
    if (config !== undefined)
      return { config, named: true, port, considered: [{ step: "host", rule, outcome: "chosen" }] };
    const reason = inScope ? "no such service is registered" : `${scope?.config.rule} leaves it out`;
    considered.push({ step: "host", rule, outcome: "passed over", reason });
  }
  const hosts = await source.hosts(callerNamespace);
  const table = hostsInScope(hosts?.hosts ?? [], scope);
  considered.push(...consideredHosts(table.explain(authority)));
  const found = table.find(authority);
  if (found === undefined && scope !== undefined) {
    // Such a host is there, but not for this caller.
    const whole = consideredHosts(hostsInScope(hosts?.hosts ?? [], undefined).explain(authority));
    const reason = `${scope.config.rule} leaves it out`;
    const hidden = whole.filter(({ outcome }) => outcome === "chosen");
    considered.push(...hidden.map(({ step, rule }) => ({ step, rule, outcome: "passed over" as const, reason })));
  }
  const config = found && (await source.service(found.namespace, found.service));
  return { config, named: found !== undefined, port, considered };
}
