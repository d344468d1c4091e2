import { RE2JS } from "re2js";
import type { QuotaClause, QuotaRequestInput, QuotaRule } from "../../../shared/wire/index.ts";
import type { AttributeReader } from "./attribute-reader.ts";

/*
 * Which quotas a request must be charged. A rule applies when it has no matches, or when all clauses of one of them
 * hold; a clause needs its attribute to be there as a string. The charges of all rules that apply are due together;
 * charges of one quota are added up, because the answer names each quota once.
 */

type Clause = (read: AttributeReader) => boolean;

interface CompiledRule {
  /** Any of them; empty: always. */
  readonly matches: readonly (readonly Clause[])[];
  readonly charges: readonly { readonly quota: string; readonly charge: number }[];
}

const NONE: readonly QuotaRequestInput[] = [];

export class QuotaRules {
  readonly #rules: readonly CompiledRule[];

  /** A rule whose regex cannot be compiled never applies: Mixer has refused such rules before they reach a plan. */
  constructor(rules: readonly QuotaRule[]) {
    this.#rules = rules.map((rule) => ({
      matches: rule.matches.map((match) => match.clauses.map(compileClause)),
      charges: rule.charges.filter((charge) => charge.charge > 0).map(({ quota, charge }) => ({ quota, charge })),
    }));
  }

  /** What to ask for this request; empty when no rule applies. */
  requestsFor(read: AttributeReader): readonly QuotaRequestInput[] {
    let amounts: Map<string, number> | undefined;
    for (const { matches, charges } of this.#rules) {
      if (matches.length > 0 && !matches.some((clauses) => clauses.every((clause) => clause(read)))) continue;
      for (const { quota, charge } of charges) {
        amounts ??= new Map();
        amounts.set(quota, (amounts.get(quota) ?? 0) + charge);
      }
    }
    if (amounts === undefined) return NONE;
    return [...amounts].map(([quota, amount]) => ({ quota, amount, bestEffort: false }));
  }
}

function compileClause(clause: QuotaClause): Clause {
  const { attribute, match } = clause;
  const test = compileTest(match, (match === undefined ? undefined : clause[match]) ?? "");
  return (read) => {
    const value = read(attribute);
    return typeof value === "string" && test(value);
  };
}

function compileTest(match: QuotaClause["match"], pattern: string): (value: string) => boolean {
  switch (match) {
    case "exact":
      return (value) => value === pattern;
    case "prefix":
      return (value) => value.startsWith(pattern);
    case "regex":
      return compileRegex(pattern);
    case undefined:
      return () => false;
  }
}

/** The whole value must match; linear in its length. */
function compileRegex(pattern: string): (value: string) => boolean {
  try {
    const regex = RE2JS.compile(pattern);
    return (value) => regex.matches(value);
  } catch {
    return () => false;
  }
}
