import { InvalidArgumentError } from "../base/index.ts";
import type { Message } from "./message.ts";

/** Messages of a code about certain objects, which somebody knows of and does not want to see. */
export interface Suppression {
  /** `*`: every code. */
  readonly code: string;
  /** Patterns in which `*` stands for any text. */
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/** `CODE=Kind/name.namespace`, or `CODE` alone; `*` stands for any text. Throws InvalidArgumentError. */
export function parseSuppression(text: string): Suppression {
  const [code = "", object = "*/*.*", ...rest] = text.split("=");
  const slash = object.indexOf("/");
  const dot = object.lastIndexOf(".");
  if (rest.length > 0 || !/^(?:\*|LAT\d{4})$/.test(code) || slash < 1)
    throw new InvalidArgumentError(
      `${JSON.stringify(text)}: write CODE=Kind/name.namespace, such as LAT0212=VirtualService/*.default`,
    );
  const kind = object.slice(0, slash);
  if (dot < slash) return { code, kind, name: object.slice(slash + 1), namespace: "*" };
  return { code, kind, name: object.slice(slash + 1, dot), namespace: object.slice(dot + 1) };
}

export function isSuppressed({ code, object }: Message, suppressions: readonly Suppression[]): boolean {
  return suppressions.some(
    (each) =>
      fits(each.code, code) &&
      fits(each.kind.toLowerCase(), object.kind.toLowerCase()) &&
      fits(each.name, object.name) &&
      fits(each.namespace, object.namespace),
  );
}

/** By pieces between asterisks, without a regular expression: a pattern is what somebody typed. */
function fits(pattern: string, text: string): boolean {
  const [first = "", ...pieces] = pattern.split("*");
  if (pieces.length === 0) return pattern === text;
  if (!text.startsWith(first)) return false;
  const last = pieces.pop() ?? "";
  let at = first.length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
