import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CHECKS, type CheckId, checksJson, remedyOf, renderChecks } from "../../cli/doctor/checks.ts";
import { judgeBus } from "../../cli/doctor/judge-bus.ts";
import { judgeComponents } from "../../cli/doctor/judge-components.ts";
import { judgeProxies } from "../../cli/doctor/judge-proxies.ts";
import type { SecretRow } from "../../cli/live/proxy-views.ts";
import { palette } from "../../cli/render.ts";
import type { ComponentStatus, ListedService, ProxyStatus } from "../../shared/wire/index.ts";

const NOW_MS = 1_750_000_000_000;
const HOUR_MS = 3_600_000;

test("every check's remedy is a section that exists", () => {
  for (const check of Object.keys(CHECKS) as CheckId[]) {
    const [page = "", anchor = ""] = remedyOf(check).split("#");
    const text = readFileSync(new URL(`../../../${page}`, import.meta.url), "utf8");
    assert.match(text, new RegExp(`^### ${anchor}\\n\\n\\S`, "m"), check);
  }
});

function component(role: string, fields: Partial<ComponentStatus> = {}): ComponentStatus {
  const base = { role, name: `${role}-1`, version: "0.1.0", startedMs: 0, leading: true, revision: 3, nowMs: NOW_MS };
  return { ...base, serverVersion: "2.10.0", findings: [], ...fields } as ComponentStatus;
}

function componentLevels(statuses: readonly ComponentStatus[]): string[] {
  return judgeComponents({ statuses, askedMs: NOW_MS, version: "0.1.0" })
    .filter(({ level }) => level !== "ok")
    .map(({ check, level, text }) => `${level} ${check}: ${text}`);
}

const ALL = [component("pilot"), component("mixer"), component("ca")];

test("components are judged by who answers, who leads, versions, clocks and what they say themselves", () => {
  assert.deepEqual(componentLevels(ALL), []);
  assert.deepEqual(componentLevels(ALL.slice(0, 2)), ["fail components-answer: no ca answers"]);
  assert.deepEqual(componentLevels([...ALL, component("pilot", { name: "pilot-2" })]), [
    "fail leader: several pilots say that they lead: pilot-1, pilot-2",
  ]);
  assert.deepEqual(componentLevels([...ALL, component("pilot", { name: "pilot-2", leading: false })]), []);
  assert.deepEqual(componentLevels([...ALL.slice(1), component("pilot", { version: "0.0.9" })]), [
    "warn versions: lateen is 0.1.0, but pilot 0.0.9",
  ]);
  assert.deepEqual(componentLevels([...ALL.slice(1), component("pilot", { nowMs: NOW_MS - 5_000 })]), [
    "warn clocks: pilot pilot-1 is 5.0 s behind",
  ]);
  assert.deepEqual(componentLevels([...ALL.slice(1), component("pilot", { nowMs: NOW_MS + 90_000 })]), [
    "fail clocks: pilot pilot-1 is 90.0 s ahead",
  ]);
  assert.deepEqual(componentLevels([...ALL.slice(1), component("pilot", { serverVersion: "2.8.4" })]), [
    "fail nats-version: that of pilot pilot-1 is 2.8.4, but 2.9 is needed",
  ]);
  const findings = [{ check: "redis", level: "fail", text: "away" }] as ComponentStatus["findings"];
  const mixers = [component("mixer", { findings }), component("mixer", { name: "mixer-2", leading: false, findings })];
  assert.deepEqual(componentLevels([component("pilot"), component("ca"), ...mixers]), ["fail redis: mixer: away"]);
});

function proxy(instance: string, fields: Partial<ProxyStatus> = {}): ProxyStatus {
  const base = {
    namespace: "default",
    service: "reviews",
    serviceAccount: "reviews",
    instance,
    workload: "reviews-v1",
  };
  return {
    ...base,
    version: "0.1.0",
    startedMs: 0,
    nowMs: NOW_MS,
    applied: [],
    draining: false,
    ...fields,
  } as ProxyStatus;
}

function secret(name: string, fromMs: number, toMs: number, serial = "1"): SecretRow {
  return {
    name,
    type: "",
    status: "ACTIVE",
    serial_number: serial,
    subject_alt_names: [],
    valid_from: new Date(fromMs).toISOString(),
    expiration_time: new Date(toMs).toISOString(),
    days_until_expiration: 0,
  };
}

const GOOD = [secret("default", NOW_MS - HOUR_MS, NOW_MS + 23 * HOUR_MS), secret("ROOTCA", 0, NOW_MS * 2)];

interface Given {
  readonly statuses?: readonly ProxyStatus[];
  readonly secrets?: ReadonlyMap<string, readonly SecretRow[]>;
  readonly services?: readonly ListedService[];
}

function proxyLevels({ statuses = [proxy("a")], secrets, services = [] }: Given): string[] {
  const shown = secrets ?? new Map(statuses.map((status) => [`${status.instance}.default`, GOOD]));
  return judgeProxies({ statuses, askedMs: NOW_MS, version: "0.1.0", secrets: shown, services })
    .filter(({ level }) => level !== "ok")
    .map(({ check, level, text }) => `${level} ${check}: ${text}`);
}

test("proxies are judged by what is in force, and by their certificates and roots", () => {
  assert.deepEqual(proxyLevels({}), []);
  assert.deepEqual(proxyLevels({ statuses: [] }), ["warn proxies-answer: no proxy answers"]);
  const applied = [{ table: "plan", key: "default", rejected: "bad bytes" }] as ProxyStatus["applied"];
  assert.deepEqual(proxyLevels({ statuses: [proxy("a", { applied })] }), ["fail proxies-synced: refuse it: a.default"]);
  const expired = [secret("default", NOW_MS - 24 * HOUR_MS, NOW_MS - HOUR_MS), secret("ROOTCA", 0, NOW_MS * 2)];
  assert.deepEqual(proxyLevels({ secrets: new Map([["a.default", expired]]) }), [
    "fail certificates: have none that is valid: a.default",
  ]);
  const late = [secret("default", NOW_MS - 23 * HOUR_MS, NOW_MS + HOUR_MS), secret("ROOTCA", 0, NOW_MS * 2)];
  assert.deepEqual(proxyLevels({ secrets: new Map([["a.default", late]]) }), [
    "warn certificates: should have been renewed by now: a.default",
  ]);
  const other = [GOOD[0] as SecretRow, secret("ROOTCA", 0, NOW_MS * 2, "2")];
  const three = ["a", "b", "c"].map((name) => proxy(name));
  const roots = new Map([
    ["a.default", GOOD],
    ["b.default", GOOD],
    ["c.default", other],
  ]);
  assert.deepEqual(proxyLevels({ statuses: three, secrets: roots }), [
    "warn trust-bundle: others than most: c.default",
  ]);
});

test("who is registered and silent, or ill, is named", () => {
  const instance = { instance: "a", healthy: true, plaintext: false };
  const service = (instances: object[]) => [{ namespace: "default", name: "reviews", ports: [], instances }] as never;
  assert.deepEqual(proxyLevels({ services: service([instance]) }), []);
  assert.deepEqual(proxyLevels({ services: service([instance, { ...instance, instance: "b" }]) }), [
    "warn proxies-answer: registered, but silent: b.default",
  ]);
  assert.deepEqual(proxyLevels({ services: service([{ ...instance, healthy: false }]) }), [
    "warn instances-healthy: not: a.default",
  ]);
});

test("a bus is judged by version, JetStream and rights", () => {
  const judged = (version: string, jetStream: boolean, denied: string[]) =>
    judgeBus({ url: "nats://x", server: { version, jetStream, name: "", maxPayloadBytes: 1 }, roundTripMs: 1, denied })
      .filter(({ level }) => level === "fail")
      .map(({ check }) => check);
  for (const version of ["2.9.10", "2.10.24", "2.15.1", "3.0.0"])
    assert.deepEqual(judged(version, true, []), [], version);
  assert.deepEqual(judged("2.8.4", false, ["publish x"]), ["nats-version", "jetstream", "permissions"]);
});

test("results are shown by section with where help is, all or only what is wrong", () => {
  const results = [
    { section: "Bus", check: "jetstream", level: "ok", text: "it does" },
    { section: "Proxies", check: "certificates", level: "warn", text: "late: a" },
  ] as const;
  assert.deepEqual(renderChecks(results, false, palette(false)).split("\n"), [
    "Bus",
    "  √ nats-server has JetStream: it does",
    "",
    "Proxies",
    "  ‼ certificates are valid: late: a",
    "      see docs/operations.md#certificates",
    "",
    "Status: all 2 checks passed, 1 with a warning",
  ]);
  assert.ok(!renderChecks(results, true, palette(false)).includes("JetStream"));
  const json = JSON.parse(checksJson(results)) as { success: boolean; results: { remedy?: string }[] };
  assert.deepEqual(
    [json.success, json.results.map(({ remedy }) => remedy)],
    [true, [undefined, "docs/operations.md#certificates"]],
  );
});
