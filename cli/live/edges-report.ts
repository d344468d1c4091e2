import type { TrafficParty, TrafficSeries } from "../../shared/wire/index.ts";
import { type Palette, renderTable } from "../render.ts";
import { countedOnce } from "./traffic.ts";

/** Who talks to whom. */
export interface Edge {
  readonly source: EdgeParty;
  readonly destination: EdgeParty;
  readonly requests: number;
  /** All of them over mutual TLS, none, some, or nobody can tell. */
  readonly secured: "yes" | "no" | "partly" | "unknown";
}

/** The identity is the verified SPIFFE id; "" when there is none. */
export type EdgeParty = Pick<TrafficParty, "namespace" | "workload" | "service" | "principal">;

interface Sum {
  readonly source: EdgeParty;
  readonly destination: EdgeParty;
  requests: number;
  secured: number;
  plain: number;
}

export function edgesOf(series: readonly TrafficSeries[]): readonly Edge[] {
  const sums = new Map<string, Sum>();
  for (const each of countedOnce(series)) {
    const [source, destination] = [partyOf(each.source), partyOf(each.destination)];
    const key = JSON.stringify([source, destination]);
    const sum = sums.get(key) ?? { source, destination, requests: 0, secured: 0, plain: 0 };
    sums.set(key, sum);
    sum.requests += each.requests;
    // A caller does not say so itself: over mutual TLS it knows who the other one is.
    const isSecured = each.security === "mutual_tls" || (each.reporter === "source" && destination.principal !== "");
    if (isSecured) sum.secured += each.requests;
    else if (each.security === "none" || each.reporter === "source") sum.plain += each.requests;
  }
  return [...sums.values()]
    .map(({ secured, plain, ...edge }) => ({ ...edge, secured: verdict(secured, plain) }))
    .sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
}

function partyOf({ namespace, workload, service, principal }: TrafficParty): EdgeParty {
  return { namespace, workload, service, principal };
}

function orderOf({ source, destination }: Edge): string {
  return JSON.stringify([source.namespace, source.workload, destination.namespace, destination.workload]);
}

function verdict(secured: number, plain: number): Edge["secured"] {
  if (secured === 0 && plain === 0) return "unknown";
  if (plain === 0) return "yes";
  return secured === 0 ? "no" : "partly";
}

export function renderEdges(edges: readonly Edge[], colours: Palette): string {
  if (edges.length === 0) return "No requests have been seen yet.";
  const marks: Readonly<Record<Edge["secured"], string>> = {
    yes: colours.good("√"),
    no: colours.bad("x"),
    partly: colours.bad("partly"),
    unknown: "?",
  };
  // Last, since colours have no width.
  return renderTable(
    ["SOURCE", "DESTINATION", "SOURCE NS", "DESTINATION NS", "CLIENT", "SERVER", "REQUESTS", "SECURED"],
    edges.map(({ source, destination, requests, secured }) => [
      source.workload || source.service || "outside",
      destination.workload || destination.service || "outside",
      source.namespace || "-",
      destination.namespace || "-",
      identity(source.principal),
      identity(destination.principal),
      String(requests),
      marks[secured],
    ]),
  );
}

/** `reviews.default` of `spiffe://cluster.local/ns/default/sa/reviews`. */
export function identity(principal: string): string {
  const match = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(principal);
  return match === null ? principal || "-" : `${match[2]}.${match[1]}`;
}
