import { errorMessage } from "../base/index.ts";
import { ATTRIBUTES, checked, kindOfValue, type Schema, shown, string, type ValueType } from "../model/index.ts";
import { compileExpression } from "./expression/compiler.ts";
import { parseDurationMs } from "./expression/duration.ts";
import { type CompiledExpression, ExpressionError } from "./expression/types.ts";

/** The schemas of values that handlers, instances and rules have in common. */

/** An expression over the vocabulary; of any type unless one is expected. */
export function expression(expected?: ValueType): Schema<CompiledExpression> {
  const schema = checked(string(), (text, at) => {
    try {
      return compileExpression(text, ATTRIBUTES, expected);
    } catch (error) {
      if (error instanceof ExpressionError) return at.error(error.message, error.remedy, error.position);
      return at.error(errorMessage(error), "correct the expression");
    }
  });
  const format = expected === undefined ? "expression" : `expression of type ${expected}`;
  return { ...schema, type: { ...schema.type, format } };
}

/** A duration with any of Go's units, "500ms" or "1m30s", as milliseconds. */
export function goDuration(rules: { readonly minMs: number }): Schema<number> {
  return {
    type: { type: "duration", minMs: rules.minMs, anyUnit: true },
    read(value, path, reader) {
      const ms = typeof value === "string" ? parseDurationMs(value) : undefined;
      if (ms === undefined) {
        const given = typeof value === "string" ? JSON.stringify(shown(value)) : kindOfValue(value);
        const remedy = typeof value === "number" ? `write "${value}s"` : "write a number with its unit: ms, s, m or h";
        return reader.error(path, value, `must be a duration such as "5s" or "500ms", not ${given}`, remedy);
      }
      if (ms < rules.minMs)
        return reader.error(path, value, `shorter than ${rules.minMs} ms`, `give at least "${rules.minMs}ms"`);
      return { json: value, value: ms };
    },
  };
}

/** The full name of an instance, `name.<template>.namespace`. */
export function instanceName(template: string): Schema<string> {
  return checked(string(), (text, at) => {
    const parts = text.split(".");
    if (parts.length === 3 && parts.every((part) => part !== "") && parts[1] === template) return text;
    return at.error(
      `${JSON.stringify(text)} is not the full name of a ${template}`,
      `write name.${template}.namespace`,
    );
  });
}
