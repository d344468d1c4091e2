import type { ServerInfo } from "../../shared/bus/index.ts";
import { type CheckResult, someOf } from "./checks.ts";

const SECTION = "Bus";
/** The oldest that the mesh is tested with. */
const MIN_NATS: readonly [number, number] = [2, 9];

export interface BusFacts {
  readonly url: string;
  readonly server: ServerInfo | undefined;
  /** How long a round trip took, milliseconds. */
  readonly roundTripMs: number;
  /** Subjects that the server denied. */
  readonly denied: readonly string[];
}

export function judgeBus({ url, server, roundTripMs, denied }: BusFacts): readonly CheckResult[] {
  const version = server?.version ?? "";
  const old = whyTooOld(version);
  return [
    { section: SECTION, check: "nats-reachable", level: "ok", text: `${url} answers in ${roundTripMs.toFixed(1)} ms` },
    {
      section: SECTION,
      check: "nats-version",
      level: old === undefined ? "ok" : "fail",
      text: old ?? version,
    },
    {
      section: SECTION,
      check: "jetstream",
      level: server?.jetStream === true ? "ok" : "fail",
      text: server?.jetStream === true ? "it does" : "it does not",
    },
    {
      section: SECTION,
      check: "permissions",
      level: denied.length === 0 ? "ok" : "fail",
      text: denied.length === 0 ? "it does" : `denied: ${someOf(denied)}`,
    },
  ];
}

export function unreachable(text: string): CheckResult {
  return { section: SECTION, check: "nats-reachable", level: "fail", text };
}

/** Undefined for a version of nats-server that the mesh works with. */
export function whyTooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNew = major > MIN_NATS[0] || (major === MIN_NATS[0] && minor >= MIN_NATS[1]);
  return isNew ? undefined : `${version}, but ${MIN_NATS.join(".")} is needed`;
}
