import { type Clock, errorMessage, NotFoundError, VERSION } from "../base/index.ts";
import { type Component, ComponentStatus, ComponentStatusRequest } from "../wire/index.ts";
import type { Bus, BusSubscription } from "./bus.ts";
import type { BucketName } from "./envelope.ts";
import { JetStream } from "./jetstream.ts";
import { bucketConfig, LEASE_MS } from "./table-store.ts";

/*
 * People may not look into the account that holds the buckets, nor reach a component's own ports. So each replica looks for
 * them: at the buckets that it lives on, at the clock of NATS, and at what only it knows of itself.
 */

export type FindingLevel = "ok" | "warn" | "fail";

/** One thing that was looked at. */
export interface Finding {
  /** Such as "buckets"; the same word wherever the same thing is looked at. */
  readonly check: string;
  readonly level: FindingLevel;
  readonly text: string;
}

export interface ComponentStatusOptions {
  /** The connection into account MESH. */
  readonly mesh: Bus;
  /** The connection into account STORE. */
  readonly store: Bus;
  readonly role: Component;
  /** The replica's name. */
  readonly name: string;
  readonly clock: Clock;
  /** Buckets that it owns or reads. */
  readonly buckets: readonly BucketName[];
  leading(): boolean;
  /** The newest configuration revision that it knows; 0 where it has none. */
  revision(): number;
  /** What only this component can know. */
  findings(): readonly Finding[] | Promise<readonly Finding[]>;
}

/** Differences below this are the network's. */
const MAX_CLOCK_DIFFERENCE_MS = 2_000;
/** A bucket is as it should be when these fields of its stream are. */
const FIELDS = ["subjects", "max_msgs_per_subject", "max_age", "allow_direct", "republish"] as const;

/** Answers `component.status`. */
export function serveComponentStatus(options: ComponentStatusOptions): BusSubscription {
  const { mesh, role, name, clock } = options;
  const startedMs = clock.now();
  return mesh.serve(
    mesh.subjects.componentStatus(),
    async (message) => {
      message.decode(ComponentStatusRequest);
      const found = await Promise.all([bucketFinding(options), clockFinding(options), ownFindings(options)]);
      const value = {
        role,
        name,
        version: VERSION,
        startedMs,
        leading: options.leading(),
        revision: options.revision(),
        nowMs: clock.now(),
        serverVersion: mesh.server?.version ?? "",
        findings: found.flat(),
      };
      return { type: ComponentStatus, value };
    },
    { maxInFlight: 8 },
  );
}

async function ownFindings(options: ComponentStatusOptions): Promise<readonly Finding[]> {
  try {
    return await options.findings();
  } catch (error) {
    return [{ check: options.role, level: "fail", text: errorMessage(error) }];
  }
}

async function bucketFinding({ store, buckets }: ComponentStatusOptions): Promise<Finding> {
  const wrong = (await Promise.all(buckets.map((bucket) => bucketFault(store, bucket)))).filter(
    (fault) => fault !== "",
  );
  if (wrong.length > 0) return { check: "buckets", level: "fail", text: wrong.join("; ") };
  const names = buckets.map((bucket) => store.subjects.bucket(bucket)).join(", ");
  return { check: "buckets", level: "ok", text: `${names}: there, and broadcast as they should be` };
}

/** "" when there is none. */
async function bucketFault(store: Bus, bucket: BucketName): Promise<string> {
  const wanted: Readonly<Record<string, unknown>> = bucketConfig(store.subjects, bucket);
  const name = store.subjects.bucket(bucket);
  try {
    const { config } = await new JetStream(store).call(`$JS.API.STREAM.INFO.${wanted["name"]}`, {});
    const present = (config ?? {}) as Readonly<Record<string, unknown>>;
    const differing = FIELDS.filter((field) => !sameValue(wanted[field], present[field]));
    return differing.length === 0 ? "" : `${name}: ${differing.join(", ")} not as it should be`;
  } catch (error) {
    return error instanceof NotFoundError ? `${name} is missing` : `${name}: ${errorMessage(error)}`;
  }
}

/** The server adds defaults to what it was asked for, such as `headers_only: false`. */
function sameValue(wanted: unknown, present: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) {
    return JSON.stringify(wanted) === JSON.stringify(present);
  }
  const have = (present ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).every(([name, value]) => sameValue(value, have[name]));
}

/** The leader's lease is at most a second old, by the clock of NATS: older or newer than that is a difference of clocks. */
async function clockFinding({ store, role, clock }: ComponentStatusOptions): Promise<readonly Finding[]> {
  const subject = store.subjects.directGet("leader", role);
  const answer = await store.requestRaw(subject, new Uint8Array(), { timeoutMs: 1_000 }).catch(() => undefined);
  const writtenMs = Date.parse(answer?.header("Nats-Time-Stamp") ?? "");
  if (Number.isNaN(writtenMs)) return [{ check: "leader", level: "fail", text: `no ${role} leads` }];
  const aheadMs = writtenMs - clock.now();
  const behindMs = -aheadMs - LEASE_MS;
  const differenceMs = aheadMs > 0 ? aheadMs : behindMs;
  if (differenceMs <= MAX_CLOCK_DIFFERENCE_MS) {
    return [{ check: "nats-clock", level: "ok", text: "the clock of NATS agrees with its own" }];
  }
  const text = `the clock of NATS is ${(differenceMs / 1000).toFixed(1)} s ${aheadMs > 0 ? "ahead of" : "behind"} its own`;
  return [{ check: "nats-clock", level: "warn", text }];
}
