import { InvalidArgumentError } from "../../../shared/base/index.ts";
import type { TapFilter, TapParty, TapRequest } from "../../../shared/wire/index.ts";
import type { Peer, RequestRecord } from "../stream/record.ts";

/** What a watcher wants, checked: plain data, since it goes to other processes too. */
export interface TapOrder {
  readonly id: string;
  readonly filter: TapFilter;
  readonly maxPerSecond: number;
  /** How long an answer may be, as JSON; default: as long as fits into a message. */
  readonly maxChars?: number;
}

const MAX_TEXT_CHARS = 512;
const MAX_WAIT_MS = 2_000;
const MAX_PER_SECOND = 1_000;
const STATUS = /^[1-9](?:\d\d|xx)$/;
const PARTIES = ["from", "to"] as const;
const TEXTS = ["method", "path", "authority", "status"] as const;

/** Throws InvalidArgumentError that names the field. */
export function parseTapRequest(value: unknown): TapOrder & { readonly waitMs: number } {
  const { id, waitMs = 0, maxPerSecond = 100, filter = {} } = objectAt("", value) as Partial<TapRequest>;
  if (typeof id !== "string" || id === "" || id.length > 64)
    throw new InvalidArgumentError("id: give text of 1 to 64 characters, the same for every question of one watcher");
  if (typeof waitMs !== "number" || !(waitMs >= 0)) throw new InvalidArgumentError("waitMs: give milliseconds");
  if (!Number.isInteger(maxPerSecond) || maxPerSecond < 1 || maxPerSecond > MAX_PER_SECOND)
    throw new InvalidArgumentError(`maxPerSecond: give a number from 1 to ${MAX_PER_SECOND}`);
  return { id, waitMs: Math.min(waitMs, MAX_WAIT_MS), maxPerSecond, filter: parseFilter(filter) };
}

function parseFilter(value: unknown): TapFilter {
  const given = objectAt("filter", value);
  const unknown = Object.keys(given).find((name) => ![...PARTIES, ...TEXTS, "reporter"].includes(name as never));
  if (unknown !== undefined) throw new InvalidArgumentError(`filter.${unknown}: no such filter`);
  for (const name of TEXTS) textAt(`filter.${name}`, given[name]);
  for (const name of PARTIES) {
    if (given[name] === undefined) continue;
    const party = objectAt(`filter.${name}`, given[name]);
    for (const part of ["name", "namespace"]) textAt(`filter.${name}.${part}`, party[part]);
  }
  const { reporter, status } = given as TapFilter;
  if (reporter !== undefined && reporter !== "source" && reporter !== "destination")
    throw new InvalidArgumentError("filter.reporter: use source or destination");
  if (status !== undefined && !STATUS.test(status))
    throw new InvalidArgumentError("filter.status: use a code such as 503, or a class such as 5xx");
  return given as TapFilter;
}

/** On the request path, while somebody watches. */
export function fitsTap(
  { reporter, from, to, method, path, authority, status }: TapFilter,
  record: RequestRecord,
): boolean {
  return (
    (reporter === undefined || (reporter === "source") === (record.side === "outbound")) &&
    (from === undefined || isParty(from, record.source)) &&
    (to === undefined || isParty(to, record.destination)) &&
    (method === undefined || method === record.head.method) &&
    (path === undefined || record.head.path.startsWith(path)) &&
    (authority === undefined || authority === record.head.authority) &&
    (status === undefined || isStatus(status, record.status))
  );
}

function isParty({ name, namespace }: TapParty, peer: Peer): boolean {
  return (
    (namespace === undefined || namespace === peer.namespace) &&
    (name === undefined ||
      name === peer.service ||
      name === peer.workload ||
      name === peer.instance ||
      name === peer.host)
  );
}

function isStatus(wanted: string, status: number): boolean {
  return wanted.endsWith("xx") ? Math.floor(status / 100) === Number(wanted[0]) : Number(wanted) === status;
}

function objectAt(path: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidArgumentError(`${path === "" ? "the request" : path}: give an object`);
}

function textAt(path: string, value: unknown): void {
  if (value === undefined || (typeof value === "string" && value !== "" && value.length <= MAX_TEXT_CHARS)) return;
  throw new InvalidArgumentError(`${path}: give text of 1 to ${MAX_TEXT_CHARS} characters`);
}
