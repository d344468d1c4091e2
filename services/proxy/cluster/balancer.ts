import { mix32 } from "../../../shared/base/index.ts";
import type { Host } from "./host.ts";

/**
 * Chooses a host for one request. What has to be worked out is worked out when the hosts change; choosing happens for
 * every request: synchronous, without allocation.
 */
export interface Balancer {
  /** The hosts to choose from, from now on; called too when their shares have changed. */
  update(hosts: readonly Host[]): void;
  /** `hash`: what the request is to be kept together by; most balancers have no use for it. */
  choose(hash: number | undefined): Host | undefined;
}

export type Random = () => number;

/** Whether the hosts' shares differ, so that they have to be weighed. */
export function isWeighted(hosts: readonly Host[]): boolean {
  const first = hosts[0]?.share;
  return hosts.some((host) => host.share !== first);
}

export function pickAny(hosts: readonly Host[], random: Random): Host | undefined {
  return hosts[Math.floor(random() * hosts.length)];
}

/** A 32-bit hash of a host's key, or of its n-th replica on a ring. */
export function hashKey(text: string, seed = 0): number {
  let hash = mix32(seed + 0x9e3779b9);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix32(hash);
}
