import type { ResourceKey } from "../../model/index.ts";
import {
  CERTIFICATE_EXPIRED,
  CERTIFICATE_EXPIRES,
  MIXED_PROTOCOLS,
  NO_HEALTHY_INSTANCE,
  PENDING_RESOURCE,
  PROXY_REJECTED,
  PROXY_STALE,
  VERSION_SKEW,
} from "../codes/running.ts";
import type { MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";
import type { CertificateState, KnownService, LiveState } from "../world.ts";

const DAY_MS = 86_400_000;
const ROOT_WARNING_MS = 60 * DAY_MS;
const SHOWN_KEYS = 5;

/** What the parts of a running mesh tell. */
export function checkRunning(index: MeshIndex, report: Report): void {
  const { live, services, nowMs } = index.world;
  for (const service of services ?? [])
    if (live !== undefined || service.instances.length > 0) checkService(report, service);
  if (live === undefined) return;
  for (const { key, reason } of live.pending) report.add(PENDING_RESOURCE, key, "", reason);
  for (const { namespace, instance, stale, rejected } of live.proxies) {
    const proxy = proxyKey(namespace, instance);
    const keys = stale.slice(0, SHOWN_KEYS).join(", ");
    if (stale.length > 0) report.add(PROXY_STALE, proxy, "", `behind with ${stale.length} keys: ${keys}`);
    for (const { key, reason } of rejected) report.add(PROXY_REJECTED, proxy, key, reason);
  }
  checkCertificates(report, live, nowMs);
  checkVersions(report, live);
}

function proxyKey(namespace: string, name: string): ResourceKey {
  return { kind: "Proxy", namespace, name };
}

function checkService(report: Report, { namespace, name, instances }: KnownService): void {
  const service = { kind: "Service", namespace, name };
  // A gateway serves nobody inside, and is no service that is called.
  if (instances.length > 0 && instances.every(({ gateway }) => gateway === true)) return;
  if (!instances.some(({ healthy }) => healthy)) {
    const text =
      instances.length === 0 ? "it has no instances" : `none of its ${instances.length} instances is healthy`;
    report.add(NO_HEALTHY_INSTANCE, service, "", text);
  }
  const protocols = new Map<number, Set<string>>();
  for (const { ports } of instances) {
    for (const { number, protocol } of ports) {
      const set = protocols.get(number) ?? new Set();
      protocols.set(number, set.add(protocol));
    }
  }
  for (const [number, set] of protocols)
    if (set.size > 1)
      report.add(MIXED_PROTOCOLS, service, `ports ${number}`, `declared as ${[...set].sort().join(" and ")}`);
}

function checkCertificates(report: Report, { certificates }: LiveState, nowMs: number): void {
  const roots = new Set<string>();
  for (const certificate of certificates) {
    const { isRoot, validFromMs, expiresMs } = certificate;
    // Everybody has the same roots: each is told of once.
    if (isRoot && roots.has(`${validFromMs} ${expiresMs}`)) continue;
    if (isRoot) roots.add(`${validFromMs} ${expiresMs}`);
    const what = isRoot ? "the mesh's root" : "its certificate";
    const object = proxyKey(certificate.namespace, certificate.instance);
    if (nowMs >= expiresMs)
      report.add(CERTIFICATE_EXPIRED, object, "", `${what} expired at ${new Date(expiresMs).toISOString()}`);
    else if (nowMs < validFromMs)
      report.add(CERTIFICATE_EXPIRED, object, "", `${what} is not valid before ${new Date(validFromMs).toISOString()}`);
    else if (expiresMs - nowMs < marginMs(certificate))
      report.add(CERTIFICATE_EXPIRES, object, "", `${what} expires at ${new Date(expiresMs).toISOString()}`);
  }
}

function marginMs({ isRoot, validFromMs, expiresMs }: CertificateState): number {
  const lifeMs = expiresMs - validFromMs;
  return isRoot ? Math.min(ROOT_WARNING_MS, lifeMs / 10) : lifeMs / 4;
}

function checkVersions(report: Report, { proxies, components }: LiveState): void {
  const newest = components
    .filter(({ role, version }) => role === "pilot" && version !== "")
    .map(({ version }) => version)
    .sort(compareVersions)
    .at(-1);
  if (newest === undefined) return;
  for (const { role, name, version } of components) {
    const kind = ROLES[role] ?? role;
    if (version !== "" && version !== newest)
      report.add(VERSION_SKEW, { kind, namespace: "", name }, "", `it is ${version}, Pilot is ${newest}`);
  }
  for (const { namespace, instance, version } of proxies)
    if (version !== "" && version !== newest)
      report.add(VERSION_SKEW, proxyKey(namespace, instance), "", `it is ${version}, Pilot is ${newest}`);
}

const ROLES: Readonly<Record<string, string>> = { pilot: "Pilot", mixer: "Mixer", ca: "CA" };

/** Part by part, as numbers where they are. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
