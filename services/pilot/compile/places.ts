import { type DestinationInput, parseTableKey, tableKey } from "../../../shared/wire/index.ts";

/** The key in table `service` of where a destination is. */
export function targetKey(destination: DestinationInput | null | undefined): string {
  return tableKey(destination?.namespace ?? "", destination?.service ?? "");
}

/** Keys in table `service` of all that a route leads to, copies included. */
export function targetKeys(route: {
  readonly destinations?: readonly { readonly destination?: DestinationInput | null }[] | null;
  readonly mirrors?: readonly { readonly destination?: DestinationInput | null }[] | null;
}): string[] {
  return [...(route.destinations ?? []), ...(route.mirrors ?? [])].map(({ destination }) => targetKey(destination));
}

/** Namespace and name of the service with this key. */
export function placeOf(key: string): { namespace: string; service: string } {
  const [namespace = "", service = ""] = parseTableKey(key);
  return { namespace, service };
}
