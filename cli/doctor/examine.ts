import { errorMessage, sleep, systemClock, VERSION } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { createLogger } from "../../shared/obs/index.ts";
import { RedisConnection } from "../../shared/store/index.ts";
import {
  ComponentStatus,
  ComponentStatusRequest,
  type ListedService,
  type PendingResource,
} from "../../shared/wire/index.ts";
import { forEach } from "../live/gather-traffic.ts";
import { askProxy, gatherProxies, proxyName } from "../live/proxies.ts";
import type { SecretRow } from "../live/proxy-views.ts";
import { listPending, listRegistry } from "../registry-client.ts";
import { type CheckResult, someOf } from "./checks.ts";
import { judgeBus } from "./judge-bus.ts";
import { judgeComponents } from "./judge-components.ts";
import { judgeProxies } from "./judge-proxies.ts";

/* Looks at everything that can be looked at from where people are; what is seen is judged elsewhere. */

const GATHER = { quietMs: 500, maxMs: 5_000 };
/** For a denial to come back: the server does not confirm what it allows. */
const DENIAL_MS = 100;
const MIN_NODE = 20;
const MAX_CERTIFICATES = 200;

/** A running mesh. */
export async function examineMesh(bus: Bus, url: string): Promise<readonly CheckResult[]> {
  const onBus = await examineBus(bus, url);
  if (onBus.some(({ check, level }) => check === "permissions" && level === "fail")) return onBus;
  const askedMs = Date.now();
  const [statuses, proxies] = await Promise.all([gatherComponents(bus), gatherProxies(bus)]);
  const midMs = (askedMs + Date.now() - GATHER.quietMs) / 2;
  const components = judgeComponents({ statuses, askedMs: midMs, version: VERSION });
  if (!statuses.some(({ role }) => role === "pilot")) return [...onBus, ...components];
  const secrets = new Map<string, readonly SecretRow[]>();
  const shown = proxies.slice(0, MAX_CERTIFICATES);
  const problems: CheckResult[] = [];
  const [services, pending] = await Promise.all([
    listRegistry(bus).catch((error: unknown): readonly ListedService[] => {
      const text = `pilot does not say who is registered: ${errorMessage(error)}`;
      problems.push({ section: "Components", check: "components-answer", level: "fail", text });
      return [];
    }),
    listPending(bus).catch(() => undefined),
    forEach(shown, async (status) => {
      const answer = await askProxy<{ secrets: readonly SecretRow[] }>(bus, status, { view: "secrets" }).catch(
        () => undefined,
      );
      if (answer !== undefined) secrets.set(proxyName(status), answer.secrets);
    }),
  ]);
  const judged = judgeProxies({ statuses: proxies, askedMs: midMs, version: VERSION, secrets, services });
  return [...onBus, ...withReasons(components, pending), ...problems, ...judged];
}

/** A machine on which a mesh is to run. */
export async function examineMachine(
  bus: Bus,
  url: string,
  redisUrl: string | undefined,
): Promise<readonly CheckResult[]> {
  const [major = 0] = process.versions.node.split(".").map(Number);
  const onBus = await examineBus(bus, url);
  const section = "This machine";
  const node: CheckResult =
    major >= MIN_NODE
      ? { section, check: "node-version", level: "ok", text: process.versions.node }
      : { section, check: "node-version", level: "fail", text: `${process.versions.node}, but ${MIN_NODE} is needed` };
  const redis = redisUrl === undefined ? [] : [await examineRedis(redisUrl, section)];
  const isDenied = onBus.some(({ check, level }) => check === "permissions" && level === "fail");
  const there = isDenied ? [] : await gatherComponents(bus);
  const text = `${someOf(there.map(({ role, name }) => `${role} ${name}`))} answers for prefix ${bus.subjects.prefix}`;
  const mesh: CheckResult =
    there.length === 0
      ? { section: "Bus", check: "no-mesh-yet", level: "ok", text: `nobody answers for prefix ${bus.subjects.prefix}` }
      : { section: "Bus", check: "no-mesh-yet", level: "warn", text };
  return [...onBus, mesh, node, ...redis];
}

async function examineBus(bus: Bus, url: string): Promise<readonly CheckResult[]> {
  const { subjects } = bus;
  const denied = new Set<string>();
  const stop = bus.onDenied(({ operation, subject }) => denied.add(`${operation} ${subject}`));
  const heard = [`${subjects.prefix}.config.changed.>`, subjects.allTelemetry(), subjects.allProxyStatus()];
  const subscriptions = heard.map((subject) => bus.subscribe(subject, () => {}));
  const startedMs = performance.now();
  await bus.flush();
  const roundTripMs = performance.now() - startedMs;
  // A question that nobody minds, to each subject that a person asks on.
  for (const subject of [subjects.config("list"), subjects.registryList(), subjects.mixerCheck()])
    bus.publishJson(subject, {});
  await bus
    .gather(subjects.componentStatus(), ComponentStatusRequest, {}, ComponentStatus, { maxMs: DENIAL_MS })
    .catch(() => []);
  await bus.flush();
  await sleep(systemClock, DENIAL_MS);
  for (const subscription of subscriptions) subscription.close();
  stop();
  return judgeBus({ url, server: bus.server, roundTripMs, denied: [...denied] });
}

function gatherComponents(bus: Bus): Promise<ComponentStatus[]> {
  return bus.gather(bus.subjects.componentStatus(), ComponentStatusRequest, {}, ComponentStatus, GATHER);
}

async function examineRedis(url: string, section: string): Promise<CheckResult> {
  const log = createLogger({ component: "cli", level: "fatal" });
  const shown = url.replace(/\/\/[^@/]*@/, "//");
  try {
    const redis = new RedisConnection({ url, clock: systemClock, log });
    const isThere = await redis.start();
    redis.close();
    const text = isThere ? `${shown} answers` : `${shown} does not answer`;
    return { section, check: "redis-reachable", level: isThere ? "ok" : "fail", text };
  } catch (error) {
    return { section, check: "redis-reachable", level: "fail", text: `${shown}: ${errorMessage(error)}` };
  }
}

/** Pilot counts the rules that wait; who they are and why is asked for. */
function withReasons(
  results: readonly CheckResult[],
  pending: readonly PendingResource[] | undefined,
): readonly CheckResult[] {
  if (pending === undefined || pending.length === 0) return results;
  const named = pending.map(({ kind, namespace, name, reason }) => `${kind} ${namespace}/${name} (${reason})`);
  return results.map((result) =>
    result.check === "pending-rules" && result.level !== "ok"
      ? { ...result, text: `these wait: ${someOf(named)}` }
      : result,
  );
}
