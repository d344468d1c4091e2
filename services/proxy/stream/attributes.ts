import { isIPv4, isIPv6 } from "node:net";
import type { Peer, RequestRecord } from "./record.ts";

/** The JavaScript form of an attribute's value; the vocabulary says which type a name has. */
export type AttributeScalar = string | number | boolean | Uint8Array | Readonly<Record<string, string>>;

/** Reads one attribute of a request; undefined when the request has none. */
export type AttributeReader = (record: RequestRecord) => AttributeScalar | undefined;

const REFERENCE = /^([a-z][A-Za-z0-9_.]*)(?:\[([^\]]*)\])?$/;

const PEER: Readonly<Record<string, (peer: Peer) => AttributeScalar | undefined>> = {
  namespace: (peer) => peer.namespace || undefined,
  service: (peer) => peer.host || undefined,
  name: (peer) => peer.instance || undefined,
  uid: (peer) => (peer.instance === "" ? undefined : `lateen://${peer.instance}.${peer.namespace}`),
  workload: (peer) => peer.workload || undefined,
  principal: (peer) => peer.principal || undefined,
  user: (peer) => (peer.principal === "" ? undefined : peer.principal.replace(/^spiffe:\/\//, "")),
  serviceAccount: (peer) => /\/sa\/([^/]+)$/.exec(peer.principal)?.[1],
  ip: (peer) => ipBytes(peer.ip),
  port: (peer) => peer.port || undefined,
};

const RECORD: Readonly<Record<string, AttributeReader>> = {
  "request.id": (record) => record.requestId || undefined,
  "request.path": (record) => record.head.path,
  "request.host": (record) => record.head.authority,
  "request.method": (record) => record.head.method,
  "request.scheme": (record) => record.head.scheme,
  "request.useragent": (record) => record.head.headers.get("user-agent"),
  "request.referer": (record) => record.head.headers.get("referer"),
  "request.size": (record) => record.bytesReceived,
  "request.time": (record) => record.startedMs,
  "response.size": (record) => record.bytesSent,
  "response.time": (record) => record.startedMs + record.durationMs,
  "response.code": (record) => record.status,
  "response.duration": (record) => record.durationMs,
  "context.protocol": () => "http",
  "context.time": (record) => record.startedMs,
  "context.timestamp": (record) => record.startedMs,
  "context.reporter.kind": (record) => record.side,
  "connection.mtls": (record) => record.mutualTls,
  "check.error_code": (record) => record.checkCode || undefined,
  "check.error_message": (record) => record.checkMessage || undefined,
};

/** One value of a map, with a map's own keys only. */
function entry(map: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/**
 * The reader of an attribute reference (`request.path`, `request.headers[x-user]`): compiled once per plan, so that
 * the request path does no name look-ups. An attribute that this proxy never has reads as absent.
 */
export function compileReader(reference: string): AttributeReader {
  const match = REFERENCE.exec(reference);
  const name = match?.[1] ?? "";
  const key = match?.[2];
  if (name === "request.headers") {
    if (key === undefined) return (record) => requestHeaders(record);
    const lower = key.toLowerCase();
    const pseudo = Object.hasOwn(PSEUDO_HEADERS, lower) ? PSEUDO_HEADERS[lower] : undefined;
    return pseudo ?? ((record) => record.head.headers.get(lower));
  }
  if (name === "response.headers") {
    if (key === undefined) return (record) => record.responseHeaders?.toMap();
    const lower = key.toLowerCase();
    return (record) => record.responseHeaders?.get(lower);
  }
  const side = name.startsWith("source.") ? "source" : name.startsWith("destination.") ? "destination" : undefined;
  if (side !== undefined) {
    const field = name.slice(side.length + 1);
    const read = field === "labels" ? labelReader(key) : Object.hasOwn(PEER, field) ? PEER[field] : undefined;
    if (read === undefined) return () => undefined;
    return side === "source" ? (record) => read(record.source) : (record) => read(record.destination);
  }
  return (Object.hasOwn(RECORD, name) ? RECORD[name] : undefined) ?? (() => undefined);
}

function labelReader(key: string | undefined): (peer: Peer) => AttributeScalar | undefined {
  return key === undefined ? (peer) => peer.labels : (peer) => entry(peer.labels, key);
}

/** Envoy's names of the request line's parts among the headers. */
const PSEUDO_HEADERS: Readonly<Record<string, AttributeReader>> = {
  ":method": (record) => record.head.method,
  ":path": (record) => record.head.path,
  ":authority": (record) => record.head.authority,
  ":scheme": (record) => record.head.scheme,
};

function requestHeaders(record: RequestRecord): Record<string, string> {
  const map = record.head.headers.toMap();
  map[":method"] = record.head.method;
  map[":path"] = record.head.path;
  map[":authority"] = record.head.authority;
  map[":scheme"] = record.head.scheme;
  return map;
}

/** Four or sixteen bytes, or undefined for what is no address. */
export function ipBytes(text: string): Uint8Array | undefined {
  const plain = text.startsWith("::ffff:") && isIPv4(text.slice(7)) ? text.slice(7) : text;
  if (isIPv4(plain)) return Uint8Array.from(plain.split("."), Number);
  if (!isIPv6(plain)) return undefined;
  const [left = "", right] = (plain.split("%")[0] ?? "").split("::");
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const groups = [...head, ...Array<string>(Math.max(0, 8 - head.length - tail.length)).fill("0"), ...tail];
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
