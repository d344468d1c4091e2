import type { FollowedTable } from "../../../shared/bus/index.ts";
import { EndpointSet, tableKey } from "../../../shared/wire/index.ts";

/** Whether callers find an instance among the endpoints of its service, as far as those are followed here. */
export function isListed(endpoints: FollowedTable, namespace: string, service: string, instance: string): boolean {
  const shards = `${tableKey(namespace, service)}.`;
  return [...endpoints.followed].some(
    ({ key, value }) =>
      key.startsWith(shards) &&
      value !== undefined &&
      EndpointSet.decode(value).endpoints.some((endpoint) => endpoint.instance === instance),
  );
}
