import type { ProxyStatus } from "../../shared/wire/index.ts";
import { formatAge, type Palette } from "../render.ts";
import { type InstanceDescription, labelsText, type RuleDescription, type ServiceDescription } from "./description.ts";
import type { ProxyState } from "./proxy-state.ts";

/** A service in prose. */
export function renderService(service: ServiceDescription, colours: Palette): string {
  const { name, namespace, host, ports, identities, instances, rules, messages } = service;
  const healthy = instances.filter((instance) => instance.healthy).length;
  const portsText = ports.map(({ number, protocol }) => `${number} (${protocol})`).join(", ") || "no ports";
  const lines = [
    `Service ${name}.${namespace}, known to callers as ${host}, has ${portsText}.`,
    identities.length === 0 ? "Nobody has proved to be it." : `Its instances are ${identities.join(", ")}.`,
    "",
    instances.length === 0
      ? colours.bad("No instance is registered: requests are answered with 503.")
      : `${healthy} of its ${instances.length} instances ${healthy === 1 ? "is" : "are"} healthy:`,
    ...instances.map((instance) => `  ${instanceText(instance, colours)}`),
    "",
    rules.length === 0 ? "No rule names it: requests go to all of its instances." : "What applies to it:",
    ...rules.flatMap((rule) => ruleLines(rule, colours)),
  ];
  const exposed = rules.some((rule) => rule.lines.some((line) => line.startsWith("exposes it")));
  if (!exposed) lines.push("", "No gateway exposes it: it is reached from within the mesh only.");
  if (messages.length > 0) lines.push("", "Worth a look (lateen analyze):");
  for (const { level, code, object, message, remedy } of messages) {
    const mark = level === "Info" ? colours.dim(level) : colours.bad(level);
    lines.push(`  ${mark} ${code} ${object.kind} ${object.namespace}/${object.name}: ${message}`, `    ${remedy}`);
  }
  return lines.join("\n");
}

function instanceText(
  { instance, workload, address, labels, healthy, proxy }: InstanceDescription,
  colours: Palette,
): string {
  const health = healthy ? colours.good("healthy") : colours.bad("not healthy");
  const state = proxy === "none" ? "without a sidecar" : `proxy ${proxy === "SYNCED" ? proxy : colours.bad(proxy)}`;
  return `${instance} (${workload}) at ${address}: ${health}, ${state}, ${labelsText(labels)}`;
}

function ruleLines({ kind, namespace, name, lines, pending }: RuleDescription, colours: Palette): string[] {
  const waits = pending === "" ? "" : colours.bad(` is not in force yet: ${pending}`);
  return [`  ${kind} ${namespace}/${name}${waits}`, ...lines.map((line) => `    ${line}`)];
}

/** A workload's proxy in prose, before what there is to say of its service. */
export function renderProxy({ status, state, sinceMs, keys }: ProxyState, nowMs: number, colours: Palette): string {
  const services = keys.filter(({ table }) => table === "service").map(({ key }) => key.split(".").reverse().join("."));
  const behind = keys.filter((key) => key.state !== "SYNCED");
  const since = sinceMs === 0 ? "" : ` for ${formatAge(nowMs - sinceMs)}`;
  return [
    `Workload ${status.workload}.${status.namespace}, instance ${status.instance}, belongs to service ${status.service}.${status.namespace}.`,
    `Its proxy, version ${status.version}, is up for ${formatAge(nowMs - status.startedMs)} and ${state === "SYNCED" ? colours.good(state) : colours.bad(state)}${since}.`,
    ...behind.map(({ table, key, reason }) => `  behind: ${table} ${key}${reason === "" ? "" : `: ${reason}`}`),
    services.length === 0 ? "It has called nobody yet." : `It follows ${services.sort().join(", ")}.`,
    identityLine(status),
  ].join("\n");
}

function identityLine({ namespace, serviceAccount }: ProxyStatus): string {
  return `It calls others as service account ${serviceAccount} of namespace ${namespace}.`;
}
