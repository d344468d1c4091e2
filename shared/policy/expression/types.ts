import { InvalidArgumentError } from "../../base/index.ts";
import type { AttributeValue, ValueType } from "../../model/index.ts";

/** A value in memory; what it is depends on its type. */
export type Value = AttributeValue;

export type ValueMap = Readonly<Record<string, string>>;

/** The attributes that expressions may name, with their types. */
export type AttributeVocabulary = ReadonlyMap<string, ValueType>;

/** The name of an attribute (`request.path`), or one key of a string map (`request.headers[x-user]`), key verbatim. */
export type ReferenceText = string;

/** The attributes of one request. */
export interface AttributeBag {
  /** The attribute's value; undefined when the request has none. */
  get(attribute: string): Value | undefined;
  /** One key of a string map; undefined when the map or the key is absent. */
  getKey(attribute: string, key: string): string | undefined;
}

/** A top-level condition `attribute == literal` without which an expression cannot be true. */
export interface EqualityMatch {
  readonly attribute: ReferenceText;
  readonly value: string | number | boolean;
}

/** What is known of an expression's value without evaluating it: what telemetry needs to merge requests. */
export type ValueShape =
  | { readonly kind: "constant"; readonly value: Value }
  | { readonly kind: "attribute"; readonly attribute: ReferenceText; readonly fallback?: Value }
  | { readonly kind: "computed" };

/** An expression that passed the type rules, ready to run. */
export interface CompiledExpression {
  readonly text: string;
  readonly type: ValueType;
  /** Every attribute that an evaluation may look at, sorted; a map looked up under a computed key counts as a whole. */
  readonly references: readonly ReferenceText[];
  readonly shape: ValueShape;
  /** Throws EvaluationError when something that it needs is absent, or a conversion fails. */
  evaluate(bag: AttributeBag): Value;
}

/** A compiled expression of type BOOL. */
export interface CompiledMatch extends CompiledExpression {
  readonly type: "BOOL";
  /** Top-level AND conjuncts `attribute == literal`, for narrowing where a rule applies. */
  readonly equalities: readonly EqualityMatch[];
  evaluate(bag: AttributeBag): boolean;
}

/** The text is not an expression, or breaks a type rule. */
export class ExpressionError extends InvalidArgumentError {
  /** Where in the text, counted in UTF-16 units from 0. */
  readonly position: number;
  readonly remedy: string;

  constructor(message: string, position: number, remedy = "correct the expression") {
    super(message, { details: { position, remedy } });
    this.position = position;
    this.remedy = remedy;
  }
}

/** An expression has no value for these attributes. */
export class EvaluationError extends InvalidArgumentError {}
