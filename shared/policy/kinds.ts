import { InternalError } from "../base/index.ts";
import {
  ATTRIBUTES,
  checked,
  defineKind,
  type KindDefinition,
  MIXER_RULE,
  type MixerRuleSpec,
  OPEN_KINDS,
  type Schema,
} from "../model/index.ts";
import { BUS } from "./adapters/bus.ts";
import { DENIER } from "./adapters/denier.ts";
import { LIST_CHECKER } from "./adapters/listchecker.ts";
import { MEM_QUOTA } from "./adapters/memquota.ts";
import { PROMETHEUS } from "./adapters/prometheus.ts";
import { REDIS_QUOTA } from "./adapters/redisquota.ts";
import { STDIO } from "./adapters/stdio.ts";
import { compileMatch } from "./expression/compiler.ts";
import { type CompiledMatch, ExpressionError } from "./expression/types.ts";
import { type CompiledInstance, TEMPLATES, type Template } from "./instances.ts";
import { ADAPTERS, type Adapter, type AdapterParams } from "./parameters.ts";
import { TEMPLATE_SCHEMAS } from "./templates.ts";

/**
 * The kinds of Mixer with all that this layer knows of them. They take the place of the model's open ones:
 * `createKindRegistry(POLICY_KINDS)`.
 */

/** A rule whose condition is compiled. */
export interface CompiledRule extends MixerRuleSpec {
  readonly condition: CompiledMatch;
}

const ADAPTER_SCHEMAS: Readonly<Record<Adapter, Schema<AdapterParams>>> = {
  denier: checked(DENIER, (params) => ({ adapter: "denier", params })),
  listchecker: checked(LIST_CHECKER, (params) => ({ adapter: "listchecker", params })),
  memquota: checked(MEM_QUOTA, (params) => ({ adapter: "memquota", params })),
  redisquota: checked(REDIS_QUOTA, (params) => ({ adapter: "redisquota", params })),
  prometheus: checked(PROMETHEUS, (params) => ({ adapter: "prometheus", params })),
  stdio: checked(STDIO, (params) => ({ adapter: "stdio", params })),
  bus: checked(BUS, (params) => ({ adapter: "bus", params })),
};

/** rule, its condition judged and compiled. */
export const RULE: KindDefinition<CompiledRule> = {
  ...MIXER_RULE,
  parseSpec(spec, path, context) {
    const { parsed, errors, ...rest } = MIXER_RULE.parseSpec(spec, path, context);
    const field = Object.hasOwn(rest.spec, "selector") ? "selector" : "match";
    const text = rest.spec[field];
    if (text !== undefined && typeof text !== "string") return { ...rest, errors };
    try {
      const condition = compileMatch(text ?? "", ATTRIBUTES);
      return parsed === undefined ? { ...rest, errors } : { ...rest, errors, parsed: { ...parsed, condition } };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const { message, remedy, position } = error;
      return {
        ...rest,
        errors: [...errors, { path: `${path}.${field}`, value: text ?? "", reason: message, remedy, position }],
      };
    }
  },
};

const HANDLER_KINDS = new Map<string, KindDefinition<AdapterParams>>(
  ADAPTERS.map((adapter) => [adapter, fullKind(adapter, ADAPTER_SCHEMAS[adapter])]),
);

const INSTANCE_KINDS = new Map<string, KindDefinition<CompiledInstance>>(
  TEMPLATES.map((template) => [template, fullKind(template, TEMPLATE_SCHEMAS[template])]),
);

/** For `createKindRegistry`. */
export const POLICY_KINDS: readonly KindDefinition[] = [...HANDLER_KINDS.values(), ...INSTANCE_KINDS.values(), RULE];

export function isAdapter(kind: string): kind is Adapter {
  return HANDLER_KINDS.has(kind);
}

export function isTemplate(kind: string): kind is Template {
  return INSTANCE_KINDS.has(kind);
}

function fullKind<T>(kind: string, schema: Schema<T>): KindDefinition<T> {
  const open = OPEN_KINDS.find((candidate) => candidate.kind === kind);
  if (open === undefined) throw new InternalError(`kind ${kind} is not in the model`);
  return defineKind({ kind, plural: open.plural, class: open.class, doc: open.doc, schema });
}
