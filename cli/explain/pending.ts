import { parseHostPattern } from "../../services/proxy/route/host-pattern.ts";
import { HostTable } from "../../services/proxy/route/host-table.ts";
import { isKind, type ParsedResource, ROUTE_RULE, SERVICE_ENTRY, VIRTUAL_SERVICE } from "../../shared/model/index.ts";

/** A resource that is accepted, and not in force in its newest revision. */
export interface PendingRule {
  /** `<kind>/<namespace>/<name>`. */
  readonly rule: string;
  readonly reason: string;
}

/** The hosts that a resource would route or define; only resources of these kinds ever wait. */
export function hostsOf(resource: ParsedResource): readonly string[] {
  if (isKind(resource, VIRTUAL_SERVICE)) return resource.parsed.hosts.map(({ host }) => host);
  if (isKind(resource, ROUTE_RULE)) return [resource.parsed.destination.host];
  return isKind(resource, SERVICE_ENTRY) ? resource.parsed.hosts : [];
}

/** Whether a resource would have a say in a request to one of these hosts. */
export function concerns(resource: ParsedResource, hosts: readonly string[]): boolean {
  const patterns = new HostTable(hostsOf(resource).flatMap((host) => (isPattern(host) ? [[host, true] as const] : [])));
  return hosts.some((host) => patterns.find(host) === true);
}

/** Not of addresses: older rules may name a range of them. */
function isPattern(host: string): boolean {
  try {
    parseHostPattern(host);
    return true;
  } catch {
    return false;
  }
}
