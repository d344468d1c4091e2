import { splitAuthority } from "../../services/proxy/route/authority.ts";
import { HostTable } from "../../services/proxy/route/host-table.ts";
import type { Verdict } from "../../services/proxy/route/matching.ts";
import { resolveHost } from "../../shared/model/index.ts";
import type { HostsConfig, ServiceConfig } from "../../shared/wire/index.ts";
import type { MeshSource } from "./mesh-source.ts";

/** What a host means to a sidecar, found in the order of its resolve filter: a service's name, then the namespace's hosts. */
export interface ResolvedHost {
  /** Undefined: a host outside of the mesh. */
  readonly config: ServiceConfig | undefined;
  /** Of the authority; undefined when it names none. */
  readonly port: number | undefined;
  readonly considered: readonly Verdict[];
}

export async function resolveAuthority(
  authority: string,
  callerNamespace: string,
  source: MeshSource,
): Promise<ResolvedHost> {
  const { host, port } = splitAuthority(authority);
  const considered: Verdict[] = [];
  const named = resolveHost(host, callerNamespace);
  if (named !== undefined) {
    const rule = `service ${named.service}.${named.namespace}`;
    const config = await source.service(named.namespace, named.service);
    if (config !== undefined) return { config, port, considered: [{ rule, outcome: "chosen" }] };
    considered.push({ rule, outcome: "passed over", reason: "no such service is registered" });
  }
  const hosts = await source.hosts(callerNamespace);
  const table = hostTable(hosts);
  considered.push(...table.explain(authority).map((verdict) => ({ ...verdict, rule: `host ${verdict.rule}` })));
  const found = table.find(authority);
  if (found === undefined) return { config: undefined, port, considered };
  return { config: await source.service(found.namespace, found.service), port, considered };
}

function hostTable(hosts: HostsConfig | undefined): HostTable<{ namespace: string; service: string }> {
  return new HostTable(
    (hosts?.hosts ?? []).map(({ pattern, namespace, service }) => [pattern, { namespace, service }]),
  );
}
