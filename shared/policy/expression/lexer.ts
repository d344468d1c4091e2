import { ExpressionError } from "./types.ts";

/**
 * Splits an expression into the tokens of Go's expression grammar. New lines are blanks: an expression may be folded
 * anywhere.
 */
export type TokenKind = "identifier" | "integer" | "float" | "string" | "operator" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As written. */
  readonly text: string;
  /** Of a string: with its escapes resolved. */
  readonly value: string;
  readonly position: number;
}

const BLANK = /(?:\s|\/\/[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/y;
const IDENTIFIER = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const NUMBER = /(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?/y;
const OPERATOR = /&&|\|\||==|!=|<=|>=|<<|>>|&\^|<-|:=|\.\.\.|[-+*/%&|^<>=!()[\]{},;.:]/y;
const SIMPLE_ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, "\\": 92 };
const NUMERIC_ESCAPE = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})/y;

/** All tokens, the last one of kind `end`. Throws ExpressionError. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    return pattern.exec(text)?.[0];
  };
  for (;;) {
    position += take(BLANK)?.length ?? 0;
    if (position >= text.length) break;
    const token = readToken(text, position, take);
    tokens.push(token);
    position += token.text.length;
  }
  tokens.push({ kind: "end", text: "EOF", value: "", position: text.length });
  return tokens;
}

function readToken(text: string, position: number, take: (pattern: RegExp) => string | undefined): Token {
  const quote = text[position];
  if (quote === '"' || quote === "'" || quote === "`") return readString(text, position, quote);
  const identifier = take(IDENTIFIER);
  if (identifier !== undefined) return { kind: "identifier", text: identifier, value: identifier, position };
  const number = take(NUMBER);
  if (number !== undefined) {
    const kind = /^\d+$/.test(number) ? "integer" : "float";
    return { kind, text: number, value: number, position };
  }
  const operator = take(OPERATOR);
  if (operator !== undefined) return { kind: "operator", text: operator, value: operator, position };
  throw syntaxError(
    text,
    position,
    `illegal character ${JSON.stringify(String.fromCodePoint(text.codePointAt(position) ?? 0))}`,
  );
}

function readString(text: string, start: number, quote: string): Token {
  const name = quote === "'" ? "rune" : quote === "`" ? "raw string" : "string";
  const unterminated = (): ExpressionError => syntaxError(text, start, `${name} literal not terminated`);
  if (quote === "`") {
    const end = text.indexOf("`", start + 1);
    if (end < 0) throw unterminated();
    const raw = text.slice(start, end + 1);
    return { kind: "string", text: raw, value: raw.slice(1, -1).replaceAll("\r", ""), position: start };
  }
  // Escapes like \xff name bytes, so the value is gathered as UTF-8.
  const bytes: number[] = [];
  let characters = 0;
  let at = start + 1;
  for (;;) {
    const character = text[at];
    if (character === undefined || character === "\n") throw unterminated();
    if (character === quote) break;
    characters++;
    if (character === "\\") at = readEscape(text, at, quote, bytes);
    else {
      const whole = String.fromCodePoint(text.codePointAt(at) ?? 0);
      bytes.push(...Buffer.from(whole, "utf8"));
      at += whole.length;
    }
  }
  if (quote === "'" && characters !== 1) throw syntaxError(text, start, "illegal rune literal");
  const value = Buffer.from(bytes).toString("utf8");
  return { kind: "string", text: text.slice(start, at + 1), value, position: start };
}

/** Adds the bytes of the escape at `at`, and answers where it ends. */
function readEscape(text: string, at: number, quote: string, bytes: number[]): number {
  const letter = text[at + 1] ?? "";
  const simple = letter === quote ? quote.charCodeAt(0) : SIMPLE_ESCAPES[letter];
  if (simple !== undefined) {
    bytes.push(simple);
    return at + 2;
  }
  NUMERIC_ESCAPE.lastIndex = at + 1;
  const numeric = NUMERIC_ESCAPE.exec(text);
  if (numeric === null) throw syntaxError(text, at, "unknown escape sequence");
  const byte = numeric[1] !== undefined ? Number.parseInt(numeric[1], 16) : Number.parseInt(numeric[4] ?? "", 8);
  const codePoint = Number.parseInt(numeric[2] ?? numeric[3] ?? "", 16);
  if (byte <= 0xff) bytes.push(byte);
  else if (codePoint <= 0x10ffff && (codePoint < 0xd800 || codePoint > 0xdfff)) {
    bytes.push(...Buffer.from(String.fromCodePoint(codePoint), "utf8"));
  } else throw syntaxError(text, at, "escape sequence is invalid Unicode code point");
  return at + 1 + numeric[0].length;
}

/** The error of text that is no expression, with line and column counted from 1. */
export function syntaxError(text: string, position: number, reason: string): ExpressionError {
  const before = text.slice(0, position);
  const line = before.split("\n").length;
  const column = position - before.lastIndexOf("\n");
  return new ExpressionError(`unable to parse expression '${text}': ${line}:${column}: ${reason}`, position);
}
