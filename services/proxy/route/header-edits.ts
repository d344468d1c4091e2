import type { HeaderOperations, HeaderValue } from "../../../shared/wire/index.ts";
import type { HeaderList } from "../stream/header-list.ts";

/** One change to the fields of a message. */
export type HeaderEdit =
  | { readonly op: "remove"; readonly key: string }
  | { readonly op: "set" | "add"; readonly name: string; readonly key: string; readonly value: string };

/** They frame the message or name its target, which is the codec's and the rewrite's affair. */
const UNTOUCHABLE = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HOST_NAMES = new Set(["host", ":authority"]);
const AUTHORITY = /^[\w.:[\]-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * The edits of several sets of operations, one after the other; each removes, then sets, then adds. Undefined when there
 * are none. Throws on what must not or cannot be changed, so that such a route never comes into force.
 */
export function compileHeaderEdits(
  ...operations: readonly (Partial<HeaderOperations> | null | undefined)[]
): readonly HeaderEdit[] | undefined {
  const edits: HeaderEdit[] = [];
  for (const { remove = [], set = [], add = [] } of operations.map((each) => each ?? {})) {
    for (const name of remove) edits.push({ op: "remove", key: keyOf(name) });
    for (const header of set) edits.push({ op: "set", ...fieldOf(header) });
    for (const header of add) edits.push({ op: "add", ...fieldOf(header) });
  }
  return edits.length === 0 ? undefined : edits;
}

/**
 * Operations on a request without those on its host, and the host that these ask for, "" for none: that is no field to
 * change but the request's target.
 */
export function withoutAuthority(given: HeaderOperations | null | undefined): {
  readonly operations: Partial<HeaderOperations>;
  readonly authority: string;
} {
  const { remove = [], set = [], add = [] } = given ?? {};
  const isHost = ({ name }: HeaderValue): boolean => HOST_NAMES.has(name.toLowerCase());
  const host = set.find(isHost) ?? add.find(isHost);
  if (host === undefined) return { operations: { remove, set, add }, authority: "" };
  if (!AUTHORITY.test(host.value)) throw new Error(`${JSON.stringify(host.value)} is not a host`);
  const isField = (header: HeaderValue): boolean => !isHost(header);
  return { operations: { remove, set: set.filter(isField), add: add.filter(isField) }, authority: host.value };
}

export function applyHeaderEdits(headers: HeaderList, edits: readonly HeaderEdit[]): void {
  for (const edit of edits) {
    if (edit.op === "add") headers.add(edit.name, edit.key, edit.value);
    else if (edit.op === "set") headers.set(edit.name, edit.key, edit.value);
    else headers.remove(edit.key);
  }
}

function fieldOf({ name, value }: HeaderValue): { name: string; key: string; value: string } {
  const key = keyOf(name);
  if (!VALUE.test(value)) throw new Error(`the value of header ${key} has characters that no header may carry`);
  return { name, key, value };
}

function keyOf(name: string): string {
  const key = name.toLowerCase();
  if (!NAME.test(key)) throw new Error(`${JSON.stringify(name)} is not a header that can be changed`);
  if (UNTOUCHABLE.has(key)) throw new Error(`header ${key} must not be changed`);
  return key;
}
