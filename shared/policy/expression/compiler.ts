import { errorMessage } from "../../base/index.ts";
import { checkRegex, formatReference, type ValueType } from "../../model/index.ts";
import { type TypeContext, typeOf } from "./checker.ts";
import { compileEquality } from "./equality.ts";
import { createFunctions, type ExpressionFunction } from "./functions.ts";
import { type Call, type Expression, parseExpression } from "./parser.ts";
import {
  type AttributeBag,
  type AttributeVocabulary,
  type CompiledExpression,
  type CompiledMatch,
  type EqualityMatch,
  EvaluationError,
  ExpressionError,
  type ReferenceText,
  type Value,
  type ValueMap,
  type ValueShape,
} from "./types.ts";

/**
 * From text to closures, once per configuration change. An operand compiles to two closures where it can be nil:
 * the strict one throws when its attribute is absent, the lenient one (left of `|`) answers undefined and lets the next
 * alternative speak. Only attributes, map lookups and `|` itself are ever nil; a function's own arguments are strict, so
 * `ip(a) | ip(b)` fails without `a` where `ip(a | b)` does not. An empty string is a value.
 *
 * Functions of constants are computed at once: `ip("nonsense")` and a pattern that is none are refused with the
 * configuration, not with each request.
 */
type Strict = (bag: AttributeBag) => Value;
type Lenient = (bag: AttributeBag) => Value | undefined;

/** Throws ExpressionError. When `expected` is given, any other type is an error. */
export function compileExpression(
  text: string,
  vocabulary: AttributeVocabulary,
  expected?: ValueType,
): CompiledExpression {
  return compile(text, vocabulary, expected).compiled;
}

/** A condition; empty text is always true. Throws ExpressionError. */
export function compileMatch(text: string, vocabulary: AttributeVocabulary): CompiledMatch {
  const { compiled, expression } = compile(text.trim() === "" ? "true" : text, vocabulary, "BOOL");
  return {
    ...compiled,
    type: "BOOL",
    equalities: equalitiesOf(expression),
    evaluate: (bag) => compiled.evaluate(bag) === true,
  };
}

function compile(
  text: string,
  vocabulary: AttributeVocabulary,
  expected: ValueType | undefined,
): { readonly compiled: CompiledExpression; readonly expression: Expression } {
  const expression = parseExpression(text);
  const context = { vocabulary, functions: createFunctions() };
  const type = typeOf(expression, context);
  if (expected !== undefined && type !== expected) {
    throw new ExpressionError(`expression '${text}' has type ${type}, expected ${expected}`, expression.position);
  }
  const references = new Set<ReferenceText>();
  collectReferences(expression, references);
  const evaluate = new Compiler(context).strict(expression);
  const shape = shapeOf(expression);
  return { compiled: { text, type, references: [...references].sort(), shape, evaluate }, expression };
}

class Compiler {
  readonly #context: TypeContext;

  constructor(context: TypeContext) {
    this.#context = context;
  }

  strict(expression: Expression): Strict {
    switch (expression.kind) {
      case "constant": {
        const { value } = expression;
        return () => value;
      }
      case "variable": {
        const { name } = expression;
        return (bag) => {
          const value = bag.get(name);
          if (value === undefined) throw new EvaluationError(`lookup failed: '${name}'`);
          return value;
        };
      }
      case "call":
        return this.#call(expression);
    }
  }

  lenient(expression: Expression): Lenient {
    if (expression.kind === "variable") {
      const { name } = expression;
      return (bag) => bag.get(name);
    }
    if (expression.kind === "call" && expression.name === "INDEX") return this.#lookup(expression);
    if (expression.kind === "call" && expression.name === "OR") {
      const [left, right] = operands(expression);
      const first = this.lenient(left);
      const second = this.lenient(right);
      return (bag) => first(bag) ?? second(bag);
    }
    return this.strict(expression);
  }

  #call(call: Call): Strict {
    switch (call.name) {
      case "EQ":
      case "NEQ": {
        const [left, right] = operands(call);
        const isEqual = compileEquality(typeOf(left, this.#context));
        const a = this.strict(left);
        const b = this.strict(right);
        return call.name === "EQ" ? (bag) => isEqual(a(bag), b(bag)) : (bag) => !isEqual(a(bag), b(bag));
      }
      case "LAND": {
        const [a, b] = operands(call).map((operand) => this.strict(operand)) as [Strict, Strict];
        return (bag) => a(bag) === true && b(bag);
      }
      case "LOR": {
        const [a, b] = operands(call).map((operand) => this.strict(operand)) as [Strict, Strict];
        return (bag) => a(bag) === true || b(bag);
      }
      case "OR": {
        const [left, right] = operands(call);
        const first = this.lenient(left);
        const last = this.strict(right);
        return (bag) => first(bag) ?? last(bag);
      }
      case "INDEX":
        return this.#strictLookup(call);
      default:
        return this.#function(call);
    }
  }

  /** A map lookup that may be nil: the map, the key's own attribute, or the key. */
  #lookup(call: Call): Lenient {
    const [map, index] = operands(call);
    const keyOf = this.lenient(index);
    if (map.kind === "variable") {
      const { name } = map;
      return (bag) => {
        const key = keyOf(bag);
        return key === undefined ? undefined : bag.getKey(name, key as string);
      };
    }
    const mapOf = this.lenient(map);
    return (bag) => {
      const values = mapOf(bag);
      const key = values === undefined ? undefined : keyOf(bag);
      return key === undefined ? undefined : member(values as ValueMap, key as string);
    };
  }

  #strictLookup(call: Call): Strict {
    const [map, index] = operands(call);
    const keyOf = this.strict(index);
    const find = this.#lookup(call);
    const mapOf = map.kind === "variable" ? undefined : this.strict(map);
    return (bag) => {
      const found = find(bag);
      if (found !== undefined) return found;
      // One of the three is missing: looked at in this order, so that the message names the right one.
      mapOf?.(bag);
      throw new EvaluationError(`member lookup failed: '${keyOf(bag) as string}'`);
    };
  }

  #function(call: Call): Strict {
    const implementation = this.#context.functions.get(call.name) as ExpressionFunction;
    const inputs = call.target === undefined ? call.args : [call.target, ...call.args];
    const values = inputs.map((input) => this.strict(input));
    const isConstant = inputs.every((input) => input.kind === "constant");
    if (isConstant || (call.name === "matches" && inputs[0]?.kind === "constant")) {
      const value = this.#early(call, implementation, inputs);
      if (isConstant) return () => value;
    }
    return (bag) => implementation.call(values.map((value) => value(bag)));
  }

  /** What the call gives for its constant inputs; a fault in them is one of the expression. */
  #early(call: Call, implementation: ExpressionFunction, inputs: readonly Expression[]): Value {
    const [first] = inputs;
    if (call.name === "matches" && first?.kind === "constant") {
      const fault = checkRegex(first.value as string);
      // Inside the quotes; with escapes in the literal, near enough.
      if (fault !== undefined)
        throw new ExpressionError(`bad pattern: ${fault.reason}`, first.position + 1 + fault.position, fault.remedy);
    }
    try {
      return implementation.call(inputs.map((input) => (input.kind === "constant" ? input.value : "")));
    } catch (error) {
      throw new ExpressionError(errorMessage(error), inputs[0]?.position ?? call.position);
    }
  }
}

function operands(call: Call): [Expression, Expression] {
  return [call.args[0] as Expression, call.args[1] as Expression];
}

function member(map: ValueMap, key: string): string | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** The reference when the expression is an attribute, or one constant key of one. */
function referenceOf(expression: Expression): ReferenceText | undefined {
  if (expression.kind === "variable") return expression.name;
  if (expression.kind !== "call" || expression.name !== "INDEX") return undefined;
  const [map, index] = operands(expression);
  const isConstantKey = map.kind === "variable" && index.kind === "constant";
  return isConstantKey ? formatReference(map.name, index.value as string) : undefined;
}

function collectReferences(expression: Expression, into: Set<ReferenceText>): void {
  const reference = referenceOf(expression);
  if (reference !== undefined) {
    into.add(reference);
    return;
  }
  if (expression.kind !== "call") return;
  if (expression.target !== undefined) collectReferences(expression.target, into);
  for (const argument of expression.args) collectReferences(argument, into);
}

function shapeOf(expression: Expression): ValueShape {
  if (expression.kind === "constant") return { kind: "constant", value: expression.value };
  const attribute = referenceOf(expression);
  if (attribute !== undefined) return { kind: "attribute", attribute };
  if (expression.kind !== "call" || expression.name !== "OR") return { kind: "computed" };
  const [left, right] = operands(expression);
  const first = referenceOf(left);
  if (first === undefined || right.kind !== "constant") return { kind: "computed" };
  return { kind: "attribute", attribute: first, fallback: right.value };
}

function equalitiesOf(expression: Expression): EqualityMatch[] {
  if (expression.kind !== "call") return [];
  const [left, right] = operands(expression);
  if (expression.name === "LAND") return [...equalitiesOf(left), ...equalitiesOf(right)];
  if (expression.name !== "EQ") return [];
  const [subject, literal] = left.kind === "constant" ? [right, left] : [left, right];
  const attribute = referenceOf(subject);
  if (attribute === undefined || literal.kind !== "constant") return [];
  return [{ attribute, value: literal.value as string | number | boolean }];
}
