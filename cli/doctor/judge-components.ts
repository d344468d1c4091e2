import type { Component, ComponentStatus } from "../../shared/wire/index.ts";
import { type CheckId, type CheckLevel, type CheckResult, isCheckId, someOf } from "./checks.ts";
import { whyTooOld } from "./judge-bus.ts";

const SECTION = "Components";
const ROLES: readonly Component[] = ["pilot", "mixer", "ca"];
const MAX_CLOCK_WARN_MS = 2_000;
/** Certificates begin a little before they are made, but not a minute. */
const MAX_CLOCK_FAIL_MS = 60_000;

export interface ComponentFacts {
  readonly statuses: readonly ComponentStatus[];
  /** By this machine's clock, in the middle between question and answers. */
  readonly askedMs: number;
  /** Of the command line. */
  readonly version: string;
}

export function judgeComponents(facts: ComponentFacts): readonly CheckResult[] {
  const { statuses, askedMs, version } = facts;
  return [
    ...ROLES.map((role) =>
      answering(
        role,
        statuses.filter((status) => status.role === role),
      ),
    ),
    ...ROLES.flatMap((role) =>
      leading(
        role,
        statuses.filter((status) => status.role === role),
      ),
    ),
    ...(statuses.length === 0
      ? []
      : [
          versions(
            statuses.map(({ role, version: its }) => [role, its]),
            version,
            SECTION,
          ),
        ]),
    ...(statuses.length === 0
      ? []
      : [
          clocks(
            statuses.map(({ role, name, nowMs }) => [`${role} ${name}`, nowMs - askedMs]),
            SECTION,
          ),
        ]),
    ...servers(statuses),
    ...findings(statuses),
  ];
}

/** A cluster has several servers: a component may be connected to another than the command line. */
function servers(statuses: readonly ComponentStatus[]): CheckResult[] {
  return statuses.flatMap(({ role, name, serverVersion }) => {
    const old = serverVersion === "" ? undefined : whyTooOld(serverVersion);
    return old === undefined ? [] : [result("nats-version", "fail", `that of ${role} ${name} is ${old}`)];
  });
}

function answering(role: Component, replicas: readonly ComponentStatus[]): CheckResult {
  if (replicas.length === 0) return result("components-answer", "fail", `no ${role} answers`);
  return result("components-answer", "ok", `${role}: ${someOf(replicas.map(({ name }) => name))}`);
}

function leading(role: Component, replicas: readonly ComponentStatus[]): CheckResult[] {
  if (replicas.length === 0) return [];
  const leaders = replicas.filter((replica) => replica.leading).map(({ name }) => name);
  if (leaders.length === 1) return [result("leader", "ok", `${role} ${leaders[0]}`)];
  const text = leaders.length === 0 ? `no ${role} leads` : `several ${role}s say that they lead: ${someOf(leaders)}`;
  return [result("leader", "fail", text)];
}

/** Who is of another version than the command line. */
export function versions(
  those: readonly (readonly [who: string, version: string])[],
  wanted: string,
  section: string,
): CheckResult {
  const others = [
    ...new Set(those.filter(([, version]) => version !== wanted).map(([who, version]) => `${who} ${version}`)),
  ];
  if (others.length === 0) return { section, check: "versions", level: "ok", text: `all are ${wanted}` };
  return { section, check: "versions", level: "warn", text: `lateen is ${wanted}, but ${someOf(others)}` };
}

/** Whose clock is far from this machine's; `aheadMs` is negative for one that is behind. */
export function clocks(those: readonly (readonly [who: string, aheadMs: number])[], section: string): CheckResult {
  const off = those.filter(([, aheadMs]) => Math.abs(aheadMs) > MAX_CLOCK_WARN_MS);
  if (off.length === 0)
    return { section, check: "clocks", level: "ok", text: "all within two seconds of this machine's" };
  const level: CheckLevel = off.some(([, aheadMs]) => Math.abs(aheadMs) > MAX_CLOCK_FAIL_MS) ? "fail" : "warn";
  const named = off.map(([who, ms]) => `${who} is ${Math.abs(ms / 1000).toFixed(1)} s ${ms > 0 ? "ahead" : "behind"}`);
  return { section, check: "clocks", level, text: someOf(named) };
}

/** What replicas have found out. What all of them find alike is said once. */
function findings(statuses: readonly ComponentStatus[]): CheckResult[] {
  const results = statuses.flatMap(({ role, findings: found }) =>
    found.flatMap(({ check, level, text }) =>
      // Who leads is judged from the outside.
      check !== "leader" && isCheckId(check) && isLevel(level) ? [result(check, level, `${role}: ${text}`)] : [],
    ),
  );
  return results.filter(
    (one, i) => results.findIndex((other) => other.check === one.check && other.text === one.text) === i,
  );
}

function isLevel(text: string): text is CheckLevel {
  return text === "ok" || text === "warn" || text === "fail";
}

function result(check: CheckId, level: CheckLevel, text: string): CheckResult {
  return { section: SECTION, check, level, text };
}
