import type { ValueType } from "../../model/index.ts";
import { isSameIp } from "./ip.ts";
import { canonicalDnsName, canonicalEmail, canonicalUri } from "./names.ts";
import type { Value } from "./types.ts";

/** How two values of one type are compared. */
export function compileEquality(type: ValueType): (a: Value, b: Value) => boolean {
  switch (type) {
    case "IP_ADDRESS":
      return (a, b) => isSameIp(a as Uint8Array, b as Uint8Array);
    case "DNS_NAME":
      return (a, b) => canonicalDnsName(a as string) === canonicalDnsName(b as string);
    case "EMAIL_ADDRESS":
      return (a, b) => canonicalEmail(a as string) === canonicalEmail(b as string);
    case "URI":
      return (a, b) => canonicalUri(a as string) === canonicalUri(b as string);
    default:
      return (a, b) => a === b;
  }
}
