import type { DestinationSpec, JsonValue } from "../model/index.ts";
import type { Item } from "./mesh-index.ts";

export interface RouteDestination {
  /** Of the field, as it was written. */
  readonly path: string;
  readonly destination: DestinationSpec;
}

/** Everything that a VirtualService sends to, copies included. */
export function* destinationsOf({ spec, resource }: Item<"VirtualService">): Generator<RouteDestination> {
  for (const [i, { destinations, mirrors }] of spec.http.entries()) {
    const path = `spec.http[${i}]`;
    for (const [j, { destination }] of destinations.entries())
      yield { path: `${path}.route[${j}].destination`, destination };
    if (mirrors.length === 0) continue;
    // The older field is one destination by itself.
    const isSingle = fieldOf(itemOf(resource.spec["http"], i), "mirror") !== undefined;
    for (const [j, { destination }] of mirrors.entries())
      yield { path: isSingle ? `${path}.mirror` : `${path}.mirrors[${j}].destination`, destination };
  }
}

/** The path of the n-th egress host of a Sidecar, counted through all of its listeners. */
export function egressPath({ resource }: Item<"Sidecar">, n: number): string {
  const egress = resource.spec["egress"];
  let left = n;
  for (let i = 0; itemOf(egress, i) !== undefined; i++) {
    const hosts = fieldOf(itemOf(egress, i), "hosts");
    const count = Array.isArray(hosts) ? hosts.length : 0;
    if (left < count) return `spec.egress[${i}].hosts[${left}]`;
    left -= count;
  }
  return "spec.egress";
}

function itemOf(value: JsonValue | undefined, index: number): JsonValue | undefined {
  return Array.isArray(value) ? (value as readonly JsonValue[])[index] : undefined;
}

function fieldOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return (value as Readonly<Record<string, JsonValue>>)[name];
}
