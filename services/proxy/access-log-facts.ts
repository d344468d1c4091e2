import { ORIGINAL_PATH } from "./route/rewrite.ts";
import { addressText } from "./stream/addresses.ts";
import type { RequestRecord } from "./stream/record.ts";

/* What lines of every form say in the same words. */

export const PROTOCOL = "HTTP/1.1";

export function startTime(record: RequestRecord): string {
  return new Date(record.startedMs).toISOString();
}

/** As the caller wrote it, whatever was forwarded. */
export function askedPath({ head }: RequestRecord): string {
  return head.headers.get(ORIGINAL_PATH) ?? head.path;
}

export function upstreamLocalAddress({ upstreamSocket: socket }: RequestRecord): string {
  return addressText(socket?.localAddress, socket?.localPort) || "-";
}
