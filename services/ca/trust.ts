import { X509Certificate } from "node:crypto";
import { TrustBundle } from "../../shared/wire/index.ts";

/** The one key of table `trust`. */
export const BUNDLE_KEY = "bundle";

const MAX_ROOTS = 8;

/**
 * The bundle that a leading CA publishes: what is published already, less what is expired, unreadable or of another
 * trust domain, plus its own root. So a CA that lost its folder adds a root while certificates of the old one stay
 * good until they expire, and one that comes back changes nothing. Newest last; at most 8, the oldest go first.
 */
export function mergedBundle(
  published: Uint8Array | undefined,
  trustDomain: string,
  root: Uint8Array,
  nowMs: number,
): Uint8Array {
  const before = published === undefined ? undefined : readBundle(published);
  const kept = before?.trustDomain === trustDomain ? before.roots.filter((der) => isCurrent(der, nowMs)) : [];
  const roots = kept.some((der) => sameBytes(der, root)) ? kept : [...kept, root];
  return TrustBundle.encode({ trustDomain, roots: roots.slice(-MAX_ROOTS) });
}

/** Whether the published bundle makes peers trust this root. */
export function bundleHolds(bundle: Uint8Array, root: Uint8Array): boolean {
  return readBundle(bundle)?.roots.some((der) => sameBytes(der, root)) ?? false;
}

function readBundle(bytes: Uint8Array): TrustBundle | undefined {
  try {
    return TrustBundle.decode(bytes);
  } catch {
    return undefined;
  }
}

function isCurrent(der: Uint8Array, nowMs: number): boolean {
  try {
    return Date.parse(new X509Certificate(der).validTo) > nowMs;
  } catch {
    return false;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
