import type { ProxyStatus, TrafficSeries } from "../../shared/wire/index.ts";
import { renderTable } from "../render.ts";
import { countedOnce, isNamed, summaryOf, type TrafficSummary } from "./traffic.ts";

export interface StatOptions {
  readonly by: "service" | "workload";
  /** Of the destination. */
  readonly wanted?: { readonly name: string; readonly namespace?: string };
  readonly namespace?: string;
  readonly from?: { readonly name: string; readonly namespace?: string };
  readonly bounds: readonly number[];
  /** How long was counted. */
  readonly seconds: number;
}

export interface StatRow extends Partial<TrafficSummary> {
  readonly namespace: string;
  readonly name: string;
  /** Of it; 0 for a destination outside of the mesh. */
  readonly proxies: number;
  /** Requests a second. */
  readonly rps: number;
}

interface Group {
  readonly namespace: string;
  readonly name: string;
  /** What it is called by: its service and its workload. */
  readonly names: Set<string>;
  proxies: number;
  readonly series: TrafficSeries[];
}

/** A row for every service (or workload) of the mesh, called or not, and for what else has been called. */
export function statRows(
  series: readonly TrafficSeries[],
  statuses: readonly ProxyStatus[],
  { by, wanted, namespace, from, bounds, seconds }: StatOptions,
): readonly StatRow[] {
  const groups = new Map<string, Group>();
  const groupOf = (party: { namespace: string; service: string; workload: string }): Group => {
    const name = (by === "service" ? party.service : party.workload) || party.service || "unknown";
    const key = `${party.namespace}\n${name}`;
    const group = groups.get(key) ?? { namespace: party.namespace, name, names: new Set(), proxies: 0, series: [] };
    groups.set(key, group);
    for (const each of [name, party.service, party.workload]) group.names.add(each);
    return group;
  };
  for (const status of statuses) groupOf(status).proxies++;
  for (const each of countedOnce(series)) {
    if (from === undefined || isNamed(each.source, from)) groupOf(each.destination).series.push(each);
  }
  return [...groups.values()]
    .filter((group) => namespace === undefined || group.namespace === namespace)
    .filter((group) => wanted === undefined || isWanted(group, wanted))
    .sort((a, b) => (`${a.namespace}\n${a.name}` < `${b.namespace}\n${b.name}` ? -1 : 1))
    .map(({ namespace: of, name, proxies, series: own }) => {
      const summary = summaryOf(own, bounds);
      return { namespace: of, name, proxies, ...summary, rps: seconds > 0 ? (summary?.requests ?? 0) / seconds : 0 };
    });
}

function isWanted(group: Group, { name, namespace }: NonNullable<StatOptions["wanted"]>): boolean {
  return group.names.has(name) && (namespace === undefined || group.namespace === namespace);
}

export function renderStat(rows: readonly StatRow[], by: string): string {
  if (rows.length === 0) return `No ${by}s found.`;
  return renderTable(
    ["NAMESPACE", by.toUpperCase(), "PROXIES", "SUCCESS", "RPS", "P50", "P95", "P99", "SECURED"],
    rows.map(({ namespace, name, proxies, rps, ...summary }) => [
      namespace || "-",
      name,
      String(proxies),
      percent(summary.successRate),
      summary.requests === undefined ? "-" : rps.toFixed(1),
      milliseconds(summary.p50Ms),
      milliseconds(summary.p95Ms),
      milliseconds(summary.p99Ms),
      proxies === 0 ? "-" : percent(summary.securedRate),
    ]),
  );
}

export function percent(share: number | undefined): string {
  return share === undefined ? "-" : `${(share * 100).toFixed(2)}%`;
}

export function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return "-";
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)}s`;
  return ms >= 10 ? `${Math.round(ms)}ms` : `${ms.toFixed(1)}ms`;
}
