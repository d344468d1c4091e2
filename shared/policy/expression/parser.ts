import type { ValueType } from "../../model/index.ts";
import { parseDurationMs } from "./duration.ts";
import { syntaxError, type Token, tokenize } from "./lexer.ts";
import { ExpressionError, type Value } from "./types.ts";

/**
 * The language is Go's expression syntax cut down to constants, attributes and calls: operators and `m["key"]` become
 * calls of named functions, so that one table of signatures types everything. Operators that no function implements
 * (`<`, `!`, `+` ...) parse, and are then refused as unknown functions. A string literal that reads as a duration
 * ("10ms") is one.
 */
export type Expression = Constant | Variable | Call;

export interface Constant {
  readonly kind: "constant";
  readonly type: ValueType;
  readonly value: Value;
  readonly text: string;
  readonly position: number;
}

export interface Variable {
  readonly kind: "variable";
  readonly name: string;
  readonly position: number;
}

export interface Call {
  readonly kind: "call";
  readonly name: string;
  /** Of `target.name(args)`. */
  readonly target?: Expression;
  readonly args: readonly Expression[];
  readonly position: number;
}

const MAX_LENGTH = 8192;
const MAX_DEPTH = 100;
const MAX_INT64 = 2n ** 63n - 1n;

const BINARY: ReadonlyMap<string, { readonly precedence: number; readonly name: string }> = new Map([
  ["||", { precedence: 1, name: "LOR" }],
  ["&&", { precedence: 2, name: "LAND" }],
  ["==", { precedence: 3, name: "EQ" }],
  ["!=", { precedence: 3, name: "NEQ" }],
  ["<", { precedence: 3, name: "LT" }],
  ["<=", { precedence: 3, name: "LEQ" }],
  [">", { precedence: 3, name: "GT" }],
  [">=", { precedence: 3, name: "GEQ" }],
  ["+", { precedence: 4, name: "ADD" }],
  ["-", { precedence: 4, name: "SUB" }],
  ["|", { precedence: 4, name: "OR" }],
  ["^", { precedence: 4, name: "XOR" }],
  ["*", { precedence: 5, name: "MUL" }],
  ["/", { precedence: 5, name: "QUO" }],
  ["%", { precedence: 5, name: "REM" }],
  ["&", { precedence: 5, name: "AND" }],
  ["<<", { precedence: 5, name: "SHL" }],
  [">>", { precedence: 5, name: "SHR" }],
  ["&^", { precedence: 5, name: "AND_NOT" }],
]);

const UNARY: ReadonlyMap<string, string> = new Map([
  ["!", "NOT"],
  ["-", "SUB"],
  ["+", "ADD"],
  ["^", "XOR"],
  ["&", "AND"],
]);

/** Throws ExpressionError. */
export function parseExpression(text: string): Expression {
  if (text.length > MAX_LENGTH)
    throw new ExpressionError(`expression is longer than ${MAX_LENGTH} characters`, MAX_LENGTH);
  if (text.trim() === "") throw new ExpressionError("expression is empty", 0);
  return new Parser(text).parse();
}

/** The expression as calls, `EQ($a.b, 2)`: how messages name it. */
export function formatExpression(expression: Expression): string {
  switch (expression.kind) {
    case "constant":
      return expression.text;
    case "variable":
      return `$${expression.name}`;
    case "call": {
      const target = expression.target === undefined ? "" : `${formatExpression(expression.target)}:`;
      return `${target}${expression.name}(${expression.args.map(formatExpression).join(", ")})`;
    }
  }
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  parse(): Expression {
    const expression = this.#binary(1);
    if (this.#token.kind !== "end") throw this.#expected("'EOF'");
    return expression;
  }

  get #token(): Token {
    return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)] as Token;
  }

  #is(operator: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "operator" && token.text === operator;
  }

  #expect(operator: string): void {
    if (!this.#is(operator)) throw this.#expected(`'${operator}'`);
    this.#at++;
  }

  #binary(lowest: number): Expression {
    if (++this.#depth > MAX_DEPTH)
      throw syntaxError(this.#text, this.#token.position, "expression is nested too deeply");
    let left = this.#unary();
    for (;;) {
      const token = this.#token;
      if (this.#is("=")) throw this.#expected("'=='");
      const operator = token.kind === "operator" ? BINARY.get(token.text) : undefined;
      if (operator === undefined || operator.precedence < lowest) break;
      this.#at++;
      const right = this.#binary(operator.precedence + 1);
      left = { kind: "call", name: operator.name, args: [left, right], position: left.position };
    }
    this.#depth--;
    return left;
  }

  #unary(): Expression {
    const { position, text, kind } = this.#token;
    if (kind !== "operator") return this.#primary();
    if (text === "*" || text === "<-") throw this.#unexpected(position);
    const name = UNARY.get(text);
    if (name === undefined) return this.#primary();
    this.#at++;
    if (++this.#depth > MAX_DEPTH) throw syntaxError(this.#text, position, "expression is nested too deeply");
    const operand = this.#unary();
    this.#depth--;
    return { kind: "call", name, args: [operand], position };
  }

  /** An operand and all that is attached to it: `.name`, `.name(...)`, `(...)`, `["key"]`. */
  #primary(): Expression {
    const start = this.#token.position;
    let parenthesised = this.#is("(");
    let current = this.#operand();
    for (;;) {
      if (this.#is(".")) {
        this.#at++;
        const field = this.#token;
        if (field.kind !== "identifier") throw this.#expected("selector");
        this.#at++;
        if (this.#is("(")) {
          current = { kind: "call", name: field.text, target: current, args: this.#callArguments(), position: start };
        } else if (current.kind === "variable" && !parenthesised) {
          current = { kind: "variable", name: `${current.name}.${field.text}`, position: start };
        } else throw this.#unexpected(start);
      } else if (this.#is("(")) {
        if (current.kind !== "variable" || parenthesised) throw this.#unexpected(start);
        current = { kind: "call", name: current.name, args: this.#callArguments(), position: start };
      } else if (this.#is("[")) {
        this.#at++;
        const index = this.#binary(1);
        if (this.#is(":")) throw this.#unexpected(start);
        this.#expect("]");
        current = { kind: "call", name: "INDEX", args: [current, index], position: start };
      } else if (this.#is("{")) {
        throw this.#unexpected(start);
      } else return current;
      parenthesised = false;
    }
  }

  #operand(): Expression {
    const { kind, text, value, position } = this.#token;
    if (this.#is("(")) {
      this.#at++;
      const inner = this.#binary(1);
      this.#expect(")");
      return inner;
    }
    if (kind !== "operator" && kind !== "end") this.#at++;
    const constant = (type: ValueType, constantValue: Value): Constant => {
      return { kind: "constant", type, value: constantValue, text, position };
    };
    switch (kind) {
      case "operator":
      case "end":
        throw this.#expected("operand");
      case "identifier": {
        const word = text.toLowerCase();
        if (word === "true" || word === "false") return constant("BOOL", word === "true");
        return { kind: "variable", name: text, position };
      }
      case "integer":
        if (BigInt(text) > MAX_INT64) throw syntaxError(this.#text, position, `integer ${text} is out of range`);
        return constant("INT64", Number(text));
      case "float":
        return constant("DOUBLE", Number(text));
      case "string": {
        const durationMs = parseDurationMs(value);
        return durationMs === undefined ? constant("STRING", value) : constant("DURATION", durationMs);
      }
    }
  }

  #callArguments(): Expression[] {
    this.#expect("(");
    const args: Expression[] = [];
    while (!this.#is(")")) {
      args.push(this.#binary(1));
      if (!this.#is(",")) break;
      this.#at++;
    }
    this.#expect(")");
    return args;
  }

  #expected(what: string): ExpressionError {
    const { kind, text, position } = this.#token;
    const found = kind === "operator" || kind === "end" ? `'${text}'` : text;
    return syntaxError(this.#text, position, `expected ${what}, found ${found}`);
  }

  #unexpected(start: number): ExpressionError {
    return syntaxError(this.#text, start, "unexpected expression");
  }
}
