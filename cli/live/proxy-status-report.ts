import { TABLES } from "../../shared/wire/index.ts";
import { formatAge, type Palette, renderTable } from "../render.ts";
import { proxyName } from "./proxies.ts";
import type { KeyState, ProxyState, SyncState } from "./proxy-state.ts";

/** One row a proxy, with the share of its keys in each table that are in force as they should be. */
export function renderProxyStates(states: readonly ProxyState[], nowMs: number, colours: Palette): string {
  if (states.length === 0) return "No proxies found.";
  const tables = TABLES.filter((table) => states.some(({ keys }) => keys.some((key) => key.table === table)));
  const header = [
    "NAME",
    "SERVICE",
    "STATE",
    "SINCE",
    ...tables.map((table) => table.toUpperCase()),
    "REVISION",
    "VERSION",
    "AGE",
  ];
  const rows = states.map(({ status, state, sinceMs, keys, revision }) => [
    proxyName(status),
    status.service,
    state,
    sinceMs === 0 ? "-" : formatAge(nowMs - sinceMs),
    ...tables.map((table) => share(keys.filter((key) => key.table === table))),
    String(revision),
    status.version,
    formatAge(nowMs - status.startedMs),
  ]);
  const table = colouredStates(renderTable(header, rows), states, colours);
  const problems = states.flatMap(problemsOf);
  return problems.length === 0 ? table : `${table}\n\n${problems.join("\n")}`;
}

/** Everything that one proxy follows; what is behind as a difference. */
export function renderProxyDetail(proxy: ProxyState, nowMs: number, colours: Palette): string {
  const { status, state, sinceMs, keys, revision } = proxy;
  const since = sinceMs === 0 ? "" : ` for ${formatAge(nowMs - sinceMs)}`;
  const head = [
    `${proxyName(status)}: ${stateColour(state, colours)(state)}${since}`,
    `  service ${status.service}, workload ${status.workload}, version ${status.version}, up ${formatAge(nowMs - status.startedMs)}, revision ${revision}`,
  ];
  const behind = keys.filter((key) => key.state !== "SYNCED");
  const differences = behind.flatMap((key) => [
    `  ${key.table} ${key.key}: ${key.state}`,
    colours.bad(`  - ${version(key.sequence, key.revision)}, in force for ${formatAge(nowMs - key.appliedMs)}`),
    colours.good(`  + ${version(key.newestSequence, key.newestRevision)}${known(key, nowMs)}`),
    ...(key.reason === "" ? [] : [`    ${key.reason}`]),
  ]);
  const rows = keys.map((key) => [
    key.table,
    key.key,
    key.state,
    String(key.revision),
    String(key.sequence),
    formatAge(nowMs - key.appliedMs),
  ]);
  const table = renderTable(["TABLE", "KEY", "STATE", "REVISION", "SEQUENCE", "IN FORCE"], rows);
  return [...head, "", ...(differences.length === 0 ? [] : [...differences, ""]), table].join("\n");
}

function version(sequence: number, revision: number): string {
  return revision === 0 ? `sequence ${sequence}` : `sequence ${sequence} (revision ${revision})`;
}

function known({ newestMs }: KeyState, nowMs: number): string {
  return newestMs === 0 ? ", in force nowhere yet" : `, in force elsewhere for ${formatAge(nowMs - newestMs)}`;
}

function share(keys: readonly KeyState[]): string {
  if (keys.length === 0) return "-";
  return `${keys.filter(({ state }) => state === "SYNCED").length}/${keys.length}`;
}

function problemsOf({ status, keys }: ProxyState): string[] {
  return keys.flatMap(({ table, key, state, reason, revision, newestRevision }) => {
    if (state === "SYNCED") return [];
    const versions = newestRevision > revision ? ` (revision ${revision}, newest is ${newestRevision})` : "";
    return [`${proxyName(status)}: ${table} ${key} ${state}${versions}${reason === "" ? "" : `: ${reason}`}`];
  });
}

function stateColour(state: SyncState, colours: Palette): (text: string) => string {
  if (state === "SYNCED") return colours.good;
  return state === "DRAINING" ? colours.dim : colours.bad;
}

/** After the columns have been made: colours have no width. */
function colouredStates(table: string, states: readonly ProxyState[], colours: Palette): string {
  const [header, ...lines] = table.split("\n");
  const coloured = lines.map((line, i) => {
    const state = states[i]?.state ?? "SYNCED";
    return line.replace(
      new RegExp(`(\\s)${state}(?=\\s)`),
      (_, blank: string) => `${blank}${stateColour(state, colours)(state)}`,
    );
  });
  return [header, ...coloured].join("\n");
}
