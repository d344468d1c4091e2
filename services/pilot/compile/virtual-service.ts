import {
  type DestinationSpec,
  type ExportTo,
  type HostRef,
  isKind,
  MESH_GATEWAY,
  type ParsedResource,
  revisionOf,
  serviceHost,
  VIRTUAL_SERVICE,
  type VirtualServiceSpec,
} from "../../../shared/model/index.ts";
import { tableKey } from "../../../shared/wire/index.ts";
import { type Aged, agedOf } from "./age.ts";
import { delegateRule } from "./delegation.ts";
import { isWildcard } from "./host-patterns.ts";
import type { FrozenRoutes } from "./restored-routes.ts";
import { exportedTo } from "./visibility.ts";

/** One revision of a VirtualService. */
export interface VirtualService extends Aged {
  readonly revision: number;
  readonly namespace: string;
  readonly spec: VirtualServiceSpec;
  readonly exportTo: ExportTo;
  /**
   * The text of this revision is not known any more: `spec` is a later one's, so what it says counts for nothing here. It is
   * in force for the callers, services and gateways for which it was, with the routes that it had.
   */
  readonly frozen?: FrozenRoutes;
}

/** Undefined for another kind. */
export function virtualServiceOf(
  resource: ParsedResource,
  defaultExportTo: ExportTo | undefined,
): VirtualService | undefined {
  if (!isKind(resource, VIRTUAL_SERVICE)) return undefined;
  const { namespace } = resource.resource.metadata;
  const spec = resource.parsed;
  return {
    ...agedOf(resource.resource),
    revision: revisionOf(resource.resource),
    namespace,
    spec,
    exportTo: exportedTo(spec.exportTo, defaultExportTo, namespace),
  };
}

/** Whether sidecars have any use for it. */
export function isForMesh({ spec }: VirtualService): boolean {
  if (spec.hosts.length === 0 || !spec.gateways.includes(MESH_GATEWAY)) return false;
  return spec.http.some(
    ({ matches }) =>
      matches.length === 0 || matches.some(({ gateways }) => gateways.length === 0 || gateways.includes(MESH_GATEWAY)),
  );
}

/** The Gateways that it is bound to, `<namespace>/<name>`. */
export function boundGateways({ spec }: VirtualService): readonly string[] {
  return spec.hosts.length === 0 ? [] : spec.gateways.filter((name) => name !== MESH_GATEWAY);
}

/** Everywhere that its own routes send to, copies included. */
export function destinationsOf({ spec }: Pick<VirtualService, "spec">): DestinationSpec[] {
  return spec.http.flatMap(({ destinations, mirrors }) =>
    [...destinations, ...mirrors].map(({ destination }) => destination),
  );
}

/** Rule names of what it delegates to. */
export function delegatesOf({ spec }: VirtualService): string[] {
  return spec.http.flatMap(({ delegate }) => (delegate === undefined ? [] : [delegateRule(delegate)]));
}

/** Where in table `service` a host has its place when nobody else knows it; undefined for a wildcard. */
export function ownPlace(
  { host, service }: HostRef,
  namespace: string,
): { readonly namespace: string; readonly name: string } | undefined {
  if (isWildcard(host)) return undefined;
  const isClusterName = service !== undefined && serviceHost(service) === host;
  return isClusterName ? { namespace: service.namespace, name: service.service } : { namespace, name: host };
}

/** The key of that place. */
export function ownKey(host: HostRef, namespace: string): string | undefined {
  const place = ownPlace(host, namespace);
  return place && tableKey(place.namespace, place.name);
}
