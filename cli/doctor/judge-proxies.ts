import type { ListedService, ProxyStatus } from "../../shared/wire/index.ts";
import { proxyName } from "../live/proxies.ts";
import { proxyStates } from "../live/proxy-state.ts";
import type { SecretRow } from "../live/proxy-views.ts";
import { type CheckId, type CheckLevel, type CheckResult, someOf } from "./checks.ts";
import { clocks, versions } from "./judge-components.ts";

const SECTION = "Proxies";
/** A certificate is replaced at half of its life. */
const LEFT_SHARE = 0.25;

export interface ProxyFacts {
  readonly statuses: readonly ProxyStatus[];
  /** By this machine's clock, in the middle between question and answers. */
  readonly askedMs: number;
  /** Of the command line. */
  readonly version: string;
  /** Certificates and roots of each proxy, by its name; a proxy that did not tell is not in it. */
  readonly secrets: ReadonlyMap<string, readonly SecretRow[]>;
  readonly services: readonly ListedService[];
}

export function judgeProxies(facts: ProxyFacts): readonly CheckResult[] {
  const { statuses, askedMs, version } = facts;
  if (statuses.length === 0) return [result("proxies-answer", "warn", "no proxy answers")];
  return [
    answering(facts),
    synced(statuses),
    versions(
      statuses.map((status) => [proxyName(status), status.version]),
      version,
      SECTION,
    ),
    clocks(
      statuses.map((status) => [proxyName(status), status.nowMs - askedMs]),
      SECTION,
    ),
    certificates(facts),
    trust(facts),
    healthy(facts),
  ];
}

/** Who is registered with a proxy, and does not answer. */
function answering({ statuses, services }: ProxyFacts): CheckResult {
  const names = new Set(statuses.map(proxyName));
  const silent = services.flatMap(({ namespace, instances }) =>
    instances
      .filter(({ plaintext }) => !plaintext)
      .map(({ instance }) => proxyName({ instance, namespace }))
      .filter((name) => !names.has(name)),
  );
  if (silent.length === 0) return result("proxies-answer", "ok", `${statuses.length} do`);
  return result("proxies-answer", "warn", `registered, but silent: ${someOf(silent)}`);
}

function synced(statuses: readonly ProxyStatus[]): CheckResult {
  const states = proxyStates(statuses);
  const named = (wanted: string) =>
    states.filter(({ state }) => state === wanted).map(({ status }) => proxyName(status));
  const [rejected, stale] = [named("REJECTED"), named("STALE")];
  if (rejected.length > 0) return result("proxies-synced", "fail", `refuse it: ${someOf(rejected)}`);
  if (stale.length > 0) return result("proxies-synced", "warn", `are behind: ${someOf(stale)}`);
  return result("proxies-synced", "ok", "all do");
}

function certificates({ secrets, statuses, askedMs }: ProxyFacts): CheckResult {
  const own = [...secrets].map(([name, rows]) => ({ name, row: rows.find((row) => row.name === "default") }));
  const without = own.filter(({ row }) => row === undefined || Date.parse(row.expiration_time) <= askedMs);
  if (without.length > 0)
    return result("certificates", "fail", `have none that is valid: ${someOf(without.map(({ name }) => name))}`);
  const late = own.filter(({ row }) => row !== undefined && shareLeft(row, askedMs) < LEFT_SHARE);
  if (late.length > 0)
    return result("certificates", "warn", `should have been renewed by now: ${someOf(late.map(({ name }) => name))}`);
  const silent = statuses.length - own.length;
  if (silent > 0) return result("certificates", "warn", `${silent} proxies did not show theirs`);
  const soonest = Math.min(...own.map(({ row }) => Date.parse(row?.expiration_time ?? "")));
  return result("certificates", "ok", `the first one expires ${new Date(soonest).toISOString()}`);
}

function shareLeft({ valid_from: from, expiration_time: to }: SecretRow, nowMs: number): number {
  return (Date.parse(to) - nowMs) / (Date.parse(to) - Date.parse(from));
}

function trust({ secrets }: ProxyFacts): CheckResult {
  const bundles = new Map<string, string[]>();
  for (const [name, rows] of secrets) {
    const roots = rows.filter((row) => row.name === "ROOTCA").map((row) => row.serial_number);
    const key = roots.sort().join(" ");
    bundles.set(key, [...(bundles.get(key) ?? []), name]);
  }
  if (bundles.size <= 1) return result("trust-bundle", "ok", "they do");
  const smallest = [...bundles.values()].sort((a, b) => a.length - b.length)[0] ?? [];
  return result("trust-bundle", "warn", `others than most: ${someOf(smallest)}`);
}

function healthy({ services }: ProxyFacts): CheckResult {
  const ill = services.flatMap(({ namespace, instances }) =>
    instances.filter((instance) => !instance.healthy).map(({ instance }) => proxyName({ instance, namespace })),
  );
  const empty = services
    .filter(({ instances }) => instances.length === 0)
    .map(({ name, namespace }) => `${name}.${namespace}`);
  if (ill.length > 0) return result("instances-healthy", "warn", `not: ${someOf(ill)}`);
  if (empty.length > 0) return result("instances-healthy", "warn", `services without instances: ${someOf(empty)}`);
  return result("instances-healthy", "ok", `all of ${services.length} services`);
}

function result(check: CheckId, level: CheckLevel, text: string): CheckResult {
  return { section: SECTION, check, level, text };
}
