import { closest, type ValueType } from "../../model/index.ts";
import { type ExpressionFunction, OPERATORS } from "./functions.ts";
import { type Call, type Expression, formatExpression, type Variable } from "./parser.ts";
import { type AttributeVocabulary, ExpressionError } from "./types.ts";

/** What an expression is checked against. */
export interface TypeContext {
  readonly vocabulary: AttributeVocabulary;
  readonly functions: ReadonlyMap<string, ExpressionFunction>;
}

/** The type of the expression; nothing is ever converted. Throws ExpressionError. */
export function typeOf(expression: Expression, context: TypeContext): ValueType {
  switch (expression.kind) {
    case "constant":
      return expression.type;
    case "variable": {
      const type = context.vocabulary.get(expression.name);
      if (type === undefined) throw unknownAttribute(expression, context);
      return type;
    }
    case "call":
      return typeOfCall(expression, context);
  }
}

function typeOfCall(call: Call, context: TypeContext): ValueType {
  const signature = OPERATORS.get(call.name) ?? context.functions.get(call.name);
  const fail = (message: string, at: Expression = call): ExpressionError => new ExpressionError(message, at.position);
  if (signature === undefined) throw unknownFunction(call, context);
  if (call.target !== undefined) {
    if (signature.target === undefined) throw fail(`invoking regular function on instance method: ${call.name}`);
    const type = typeOf(call.target, context);
    if (type !== signature.target) {
      throw fail(`${formatExpression(call)} target typeError got ${type}, expected ${signature.target}`, call.target);
    }
  } else if (signature.target !== undefined) throw fail(`invoking instance method without an instance: ${call.name}`);
  const { args } = signature;
  if (call.args.length !== args.length) {
    const counts = `Got ${call.args.length} arg(s), expected ${args.length} arg(s)`;
    throw fail(`${formatExpression(call)} arity mismatch. ${counts}`);
  }
  let template: ValueType | undefined;
  for (const [i, argument] of call.args.entries()) {
    const type = typeOf(argument, context);
    const declared = args[i] as ValueType | "T";
    const expected: ValueType = declared === "T" ? (template ?? type) : declared;
    template ??= declared === "T" ? type : undefined;
    if (type !== expected) {
      const which = `arg ${i + 1} (${formatExpression(argument)})`;
      throw fail(`${formatExpression(call)} ${which} typeError got ${type}, expected ${expected}`, argument);
    }
  }
  if ((call.name === "EQ" || call.name === "NEQ") && (template === "DURATION" || template === "STRING_MAP")) {
    throw fail(`${formatExpression(call)}: values of type ${template} cannot be compared`);
  }
  return signature.result === "T" ? (template as ValueType) : signature.result;
}

function unknownAttribute({ name, position }: Variable, { vocabulary }: TypeContext): ExpressionError {
  const meant = closest(name, vocabulary.keys());
  const quoted = `text needs quotes inside the expression: "${name}"`;
  return new ExpressionError(
    `unknown attribute ${name}`,
    position,
    meant === undefined ? quoted : `did you mean ${meant}?`,
  );
}

function unknownFunction({ name, position }: Call, { functions }: TypeContext): ExpressionError {
  const meant = closest(name, functions.keys());
  const known = `there are ==, !=, &&, ||, | and the functions ${[...functions.keys()].join(", ")}`;
  return new ExpressionError(
    `unknown function: ${name}`,
    position,
    meant === undefined ? known : `did you mean ${meant}?`,
  );
}
