import { WireError } from "../base/index.ts";

const PLAIN = /^[A-Za-z0-9-]+$/;
const encoder = new TextEncoder();

/**
 * A name as one subject token: every byte (UTF-8) outside [A-Za-z0-9-] becomes `=XX`, the empty name is `=`.
 * Injective, and legal in subjects and in bucket keys.
 */
export function encodeToken(name: string): string {
  if (PLAIN.test(name)) return name;
  if (name === "") return "=";
  let token = "";
  for (const byte of encoder.encode(name)) {
    const char = String.fromCharCode(byte);
    token += PLAIN.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return token;
}

/** The name that `encodeToken` made a token of. Throws WireError for a token that it cannot have made. */
export function decodeToken(token: string): string {
  if (PLAIN.test(token)) return token;
  if (token === "=") return "";
  const bytes: number[] = [];
  for (let i = 0; i < token.length; i++) {
    const char = token.charAt(i);
    if (char !== "=") {
      bytes.push(char.charCodeAt(0));
      continue;
    }
    bytes.push(Number.parseInt(token.slice(i + 1, i + 3), 16));
    i += 2;
  }
  const name = Buffer.from(bytes).toString("utf8");
  if (encodeToken(name) !== token) throw new WireError(`not a subject token: ${JSON.stringify(token)}`);
  return name;
}
