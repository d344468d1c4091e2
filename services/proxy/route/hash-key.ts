import { randomBytes } from "node:crypto";
import { fnv1a32, mix32 } from "../../../shared/base/index.ts";
import type { HashCookie, HashPolicy } from "../../../shared/wire/index.ts";
import type { RequestHead } from "../stream/stream.ts";
import type { HeaderEdit } from "./header-edits.ts";
import { cookieValue, fieldValue, queryParameter } from "./request-parts.ts";

/**
 * What a consistent-hash balancer chooses by: one number of 32 bits from the parts of the request that a route names.
 * Several policies that find a value are combined, up to the first terminal one after which there is a value, as Envoy
 * does it. Without any value there is no number, and the balancer is free.
 */
export interface HashSubject {
  readonly head: RequestHead;
  /** Of whoever calls, without port. */
  readonly sourceAddress: string;
  /** Changes the answer: a cookie that the client lacks is made. */
  editResponse(edits: readonly HeaderEdit[]): void;
}

export type HashKey = (subject: HashSubject) => number | undefined;

type HashSource = (subject: HashSubject) => string | undefined;

const COOKIE_BYTES = 8;

export function compileHashKey(policies: readonly HashPolicy[]): HashKey | undefined {
  const sources = policies.map((policy) => ({ read: sourceOf(policy), terminal: policy.terminal }));
  if (sources.length === 0) return undefined;
  return (subject) => {
    let hash: number | undefined;
    for (const { read, terminal } of sources) {
      const value = read(subject);
      if (value !== undefined) hash = hash === undefined ? hashOf(value) : (rotated(hash) ^ hashOf(value)) >>> 0;
      if (terminal && hash !== undefined) break;
    }
    return hash;
  };
}

function hashOf(text: string): number {
  return mix32(fnv1a32(text));
}

function rotated(hash: number): number {
  return (hash << 1) | (hash >>> 31);
}

function sourceOf({ header, cookie, sourceIp, queryParameter: parameter }: HashPolicy): HashSource {
  if (typeof header === "string") {
    const key = header.toLowerCase();
    return ({ head }) => fieldValue(head.headers, key);
  }
  if (cookie !== null && cookie !== undefined) return cookieSource(cookie);
  if (typeof parameter === "string") return ({ head }) => queryParameter(head.path, parameter);
  if (sourceIp === true) return ({ sourceAddress }) => sourceAddress || undefined;
  throw new Error("a hash policy names nothing to hash");
}

function cookieSource({ name, path, ttlMs }: HashCookie): HashSource {
  const age = ttlMs < 0 ? "" : `; Max-Age=${Math.ceil(ttlMs / 1000)}`;
  const attributes = `${age}${path === "" ? "" : `; Path=${path}`}; HttpOnly`;
  return (subject) => {
    const sent = cookieValue(subject.head.headers, name);
    if (sent !== undefined || ttlMs === 0) return sent;
    const made = randomBytes(COOKIE_BYTES).toString("hex");
    subject.editResponse([
      { op: "add", name: "set-cookie", key: "set-cookie", value: `${name}="${made}"${attributes}` },
    ]);
    return made;
  };
}
