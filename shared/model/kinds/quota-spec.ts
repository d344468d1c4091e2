import { ATTRIBUTES, parseReference, referenceType } from "../attributes.ts";
import { closest } from "../closest.ts";
import { defineKind } from "../define-kind.ts";
import { type At, below } from "../reader.ts";
import { int32, string } from "../scalars.ts";
import { checked, field, list, map, object } from "../schema.ts";
import type { QuotaClauseSpec, QuotaSpecSpec } from "../specs.ts";
import { isEmptyMatch, stringMatch } from "./common.ts";

function checkAttribute(text: string, at: At): void {
  const type = referenceType(text);
  if (type === undefined) {
    const name = parseReference(text)?.attribute ?? text;
    const meant = closest(name, ATTRIBUTES.keys());
    at.error(
      `unknown attribute ${JSON.stringify(name)}`,
      meant === undefined ? "use an attribute of the vocabulary" : `did you mean ${meant}?`,
    );
  } else if (type === "STRING_MAP") at.error(`${text} is a map`, `name one key of it: ${text}[key]`);
  else if (type !== "STRING") at.error(`${text} is ${type}, not text`, "use an attribute that is text");
}

const clause = checked(map(stringMatch(), checkAttribute), (clauses, at): readonly QuotaClauseSpec[] =>
  Object.entries(clauses).map(([attribute, match]) => {
    if (isEmptyMatch(match))
      at.reader.error(below(at.path, attribute), "", "compares with nothing", "give text to compare with");
    return { attribute, match };
  }),
);

const quota = object({
  quota: field(
    checked(string(), (name, at) => (name === "" ? at.error("a quota needs a name", "give the quota's name") : name)),
    "Name of the quota.",
    { required: true },
  ),
  charge: field(int32({ min: 1 }), "How much one request uses up.", { required: true }),
});

const rule = checked(
  object({
    match: field(
      list(object({ clause: field(clause, "Attributes and what they must be; all must hold.") })),
      "Which requests: those for which any entry holds; all when empty.",
    ),
    quotas: field(list(quota), "What each of them is charged.", { required: true }),
  }),
  (value, at) => {
    const quotas = value.quotas ?? [];
    if (at.has("quotas") && quotas.length === 0 && at.clean("quotas"))
      at.errorOf("quotas", "is empty", "name at least one quota");
    return {
      matches: (value.match ?? []).map(({ clause: clauses }) => clauses ?? []),
      quotas: quotas.map(({ quota: name = "", charge = 1 }) => ({ quota: name, charge })),
    };
  },
);

/** QuotaSpec: what requests are charged. */
export const QUOTA_SPEC = defineKind<QuotaSpecSpec>({
  kind: "QuotaSpec",
  plural: "quotaspecs",
  class: "quota-spec",
  doc: "Says which quotas a request is charged, and how much.",
  schema: checked(
    object({ rules: field(list(rule), "All that match are charged.", { required: true }) }),
    ({ rules }, at) => {
      if (at.has("rules") && rules?.length === 0 && at.clean("rules"))
        at.errorOf("rules", "is empty", "give at least one rule");
      return { rules: rules ?? [] };
    },
  ),
});
