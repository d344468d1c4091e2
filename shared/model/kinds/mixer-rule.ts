import { defineKind } from "../define-kind.ts";
import { isDnsLabel } from "../hosts.ts";
import { string } from "../scalars.ts";
import { checked, field, list, object, oneOf, type Schema } from "../schema.ts";
import type { MixerRef, MixerRuleSpec } from "../specs.ts";

/** `name.kind.namespace`, under which handlers and instances are known everywhere. */
export function formatMixerRef(ref: MixerRef): string {
  return `${ref.name}.${ref.kind}.${ref.namespace}`;
}

function mixerRef(what: string, example: string): Schema<MixerRef> {
  return checked(string(), (text, at) => {
    const [name = "", kind = "", namespace, ...rest] = text.split(".");
    const parts = namespace === undefined ? [name, kind] : [name, kind, namespace];
    if (rest.length > 0 || kind === "" || !parts.every(isDnsLabel)) {
      return at.error(
        `${JSON.stringify(text)} does not name ${what}`,
        `write name.kind or name.kind.namespace, such as ${example}`,
      );
    }
    return { name, kind, namespace: namespace ?? at.context.namespace };
  });
}

const action = checked(
  object({
    handler: field(mixerRef("a handler", "handler.prometheus"), "The handler, as name.kind or name.kind.namespace.", {
      required: true,
    }),
    instances: field(
      list(mixerRef("an instance", "requestcount.metric")),
      "What it gets, as name.kind or name.kind.namespace.",
      {
        required: true,
      },
    ),
  }),
  ({ handler, instances }, at) => {
    if (instances?.length === 0 && at.clean("instances"))
      at.errorOf("instances", "is empty", "name at least one instance");
    return { handler: handler ?? { name: "", kind: "", namespace: "" }, instances: instances ?? [] };
  },
);

const schema = object(
  {
    match: field(string(), "An expression that says which requests; all when empty."),
    selector: field(string(), "The older name of match."),
    actions: field(list(action), "What happens to them."),
  },
  [oneOf("match", "selector")],
);

/** rule: which handlers get which instances, for which requests. Expressions are judged by the policy layer. */
export const MIXER_RULE = defineKind<MixerRuleSpec>({
  kind: "rule",
  plural: "rules",
  class: "mixer-rule",
  doc: "Hands instances made of a request's attributes to handlers.",
  schema: checked(schema, ({ match, selector, actions }) => ({
    match: match ?? selector ?? "",
    actions: actions ?? [],
  })),
});
