import type { Finding } from "../../shared/bus/index.ts";
import type { Fault } from "./linked-config.ts";

const MAX_NAMED = 3;

/** What only a Mixer knows of itself: its Redis, and configuration that it had to leave out. */
export function mixerFindings(
  redis: readonly { readonly url: string; readonly available: boolean }[],
  faults: readonly Fault[],
): readonly Finding[] {
  return [redisFinding(redis), faultFinding(faults)];
}

function redisFinding(redis: readonly { readonly url: string; readonly available: boolean }[]): Finding {
  const places = (wanted: boolean) =>
    redis.flatMap(({ url, available }) => (available === wanted ? [placeOf(url)] : [])).join(", ");
  const away = places(false);
  if (away === "") return { check: "redis", level: "ok", text: `Redis at ${places(true)} answers` };
  return { check: "redis", level: "fail", text: `Redis at ${away} does not answer: quotas follow their declared mode` };
}

function faultFinding(faults: readonly Fault[]): Finding {
  if (faults.length === 0) return { check: "policy-config", level: "ok", text: "all policy configuration is in force" };
  const named = faults.slice(0, MAX_NAMED).map(({ key, reason }) => `${key}: ${reason}`);
  const more = faults.length > MAX_NAMED ? [`and ${faults.length - MAX_NAMED} more`] : [];
  return { check: "policy-config", level: "warn", text: `left out: ${[...named, ...more].join("; ")}` };
}

/** Without the password. */
function placeOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return "an address that cannot be read";
  }
}
