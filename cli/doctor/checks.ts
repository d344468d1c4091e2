import type { Palette } from "../render.ts";

/** What `lateen check` looks at, and where help is when it is not as it should be. */
export const CHECKS = {
  "nats-reachable": "the bus can be reached",
  "nats-version": "nats-server is new enough",
  jetstream: "nats-server has JetStream",
  permissions: "the operator has its rights",
  "node-version": "Node.js is new enough",
  "no-mesh-yet": "no mesh of this name is running",
  "redis-reachable": "Redis can be reached",
  "components-answer": "Pilot, Mixer and CA answer",
  leader: "one replica of each leads",
  versions: "versions agree",
  clocks: "clocks agree",
  "nats-clock": "the clock of NATS agrees",
  buckets: "the buckets are there and broadcast",
  journal: "accepted configuration is on disk",
  leases: "leases are kept",
  "pending-rules": "every rule is in force",
  signing: "the CA signs",
  root: "the root is valid for long enough",
  redis: "Redis answers Mixer",
  "policy-config": "policy configuration is in force",
  "proxies-answer": "proxies answer",
  "proxies-synced": "proxies run on the newest configuration",
  certificates: "certificates are valid",
  "trust-bundle": "all proxies trust the same roots",
  "instances-healthy": "registered instances are healthy",
} as const;

export type CheckId = keyof typeof CHECKS;
export type CheckLevel = "ok" | "warn" | "fail";

export interface CheckResult {
  readonly section: string;
  readonly check: CheckId;
  readonly level: CheckLevel;
  readonly text: string;
}

/** Where it says what to do. */
export function remedyOf(check: CheckId): string {
  return `docs/operations.md#${check}`;
}

export function isCheckId(text: string): text is CheckId {
  return Object.hasOwn(CHECKS, text);
}

const MARKS: Readonly<Record<CheckLevel, string>> = { ok: "√", warn: "‼", fail: "×" };

/** All results by section, or only what is not as it should be; the last line says how it is. */
export function renderChecks(results: readonly CheckResult[], onlyProblems: boolean, colours: Palette): string {
  const shown = onlyProblems ? results.filter(({ level }) => level !== "ok") : results;
  const lines: string[] = [];
  let section = "";
  for (const result of shown) {
    if (result.section !== section) {
      section = result.section;
      lines.push(...(lines.length === 0 ? [] : [""]), section);
    }
    const mark = MARKS[result.level];
    lines.push(
      `  ${result.level === "ok" ? colours.good(mark) : colours.bad(mark)} ${CHECKS[result.check]}: ${result.text}`,
    );
    if (result.level !== "ok") lines.push(`      see ${remedyOf(result.check)}`);
  }
  return [...lines, ...(lines.length === 0 ? [] : [""]), verdict(results, colours)].join("\n");
}

function verdict(results: readonly CheckResult[], colours: Palette): string {
  const count = (wanted: CheckLevel) => results.filter(({ level }) => level === wanted).length;
  if (count("fail") > 0) return colours.bad(`Status: ${count("fail")} of ${results.length} checks failed`);
  const warnings = count("warn") === 0 ? "" : `, ${count("warn")} with a warning`;
  return colours.good(`Status: all ${results.length} checks passed${warnings}`);
}

export function checksJson(results: readonly CheckResult[]): string {
  const items = results.map((result) => ({
    ...result,
    ...(result.level !== "ok" && { remedy: remedyOf(result.check) }),
  }));
  return JSON.stringify({ success: !results.some(({ level }) => level === "fail"), results: items }, undefined, 2);
}

const MAX_NAMED = 4;

/** Some of many, in words. */
export function someOf(words: readonly string[]): string {
  const more = words.length > MAX_NAMED ? ` and ${words.length - MAX_NAMED} more` : "";
  return `${words.slice(0, MAX_NAMED).join(", ")}${more}`;
}
