import type { TapPeer, TapRow } from "../../shared/wire/index.ts";
import type { Palette } from "../render.ts";
import { printable } from "../safe-text.ts";
import { milliseconds } from "./stat-report.ts";

/** A request in one line. */
export function renderTapRow(row: TapRow, isWide: boolean, colours: Palette): string {
  const { timeMs, source, destination, method, path, status, durationMs, flags, mutualTls } = row;
  const time = new Date(timeMs).toISOString().slice(11, 23);
  const shownStatus = status > 0 && status < 500 ? colours.good(String(status)) : colours.bad(String(status));
  const line = [
    time,
    `${printable(partyName(source))} -> ${printable(partyName(destination))}`,
    printable(method),
    printable(path),
    shownStatus,
    milliseconds(durationMs),
    ...(flags === "" ? [] : [colours.bad(flags)]),
    mutualTls ? "tls" : "plain",
  ];
  return [...line, ...(isWide ? wide(row) : [])].join(" ");
}

function wide(row: TapRow): string[] {
  const { authority, reporter, route, attempts, bytesReceived, bytesSent, requestId, detail } = row;
  const facts: Readonly<Record<string, string | number>> = {
    host: authority,
    reporter,
    route,
    attempts,
    in: bytesReceived,
    out: bytesSent,
    id: requestId,
    detail: detail === "via_upstream" ? "" : detail,
  };
  return Object.entries(facts).flatMap(([name, value]) =>
    value === "" ? [] : [`${name}=${printable(String(value))}`],
  );
}

/** The most telling name of one end. */
export function partyName({ instance, workload, service, namespace, address }: TapPeer): string {
  const name = instance || workload || service;
  if (name === "") return address || "outside";
  return namespace === "" ? name : `${name}.${namespace}`;
}
