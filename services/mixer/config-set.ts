import {
  type KindClass,
  type KindRegistry,
  type MixerRuleSpec,
  type Resource,
  revisionOf,
} from "../../shared/model/index.ts";
import type { CompiledMatch, CompiledRule } from "../../shared/policy/index.ts";

/** A rule as it stands in the configuration: its condition compiled, its references not yet looked up. */
export interface ParsedRule {
  readonly spec: MixerRuleSpec;
  /** Undefined: always. */
  readonly match: CompiledMatch | undefined;
  /** For TCP only; every other rule is for everything but TCP. */
  readonly tcp: boolean;
}

export interface ConfigEntry {
  /** Key in table `config`. */
  readonly key: string;
  readonly revision: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly class: KindClass;
  /** What the spec means, by class; undefined after a deletion, or when it cannot be used. */
  readonly parsed: unknown;
  readonly deleted: boolean;
  /** Why it cannot be used. */
  readonly fault: string | undefined;
}

const RELEVANT: ReadonlySet<KindClass> = new Set([
  "mixer-handler",
  "mixer-instance",
  "mixer-rule",
  "quota-spec",
  "quota-binding",
]);

/**
 * Mixer's part of table `config`, parsed once per revision. A resource that cannot be used is kept with its fault: it
 * takes part in nothing and stops nothing else.
 */
export class ConfigSet {
  readonly #kinds: KindRegistry;
  readonly #entries = new Map<string, ConfigEntry>();
  #revision = 0;

  constructor(kinds: KindRegistry) {
    this.#kinds = kinds;
  }

  /** The newest revision seen, of whatever kind. */
  get revision(): number {
    return this.#revision;
  }

  get entries(): ReadonlyMap<string, ConfigEntry> {
    return this.#entries;
  }

  /** Takes one value of the table; `undefined` is an absent key. Returns whether anything of Mixer's changed. */
  apply(key: string, value: Uint8Array | undefined): boolean {
    if (value === undefined) return this.#entries.delete(key);
    const document = parseDocument(value);
    if (document === undefined) return false;
    const revision = revisionOf(document);
    this.#revision = Math.max(this.#revision, revision);
    const definition = this.#kinds.get(document.kind);
    if (definition === undefined || !RELEVANT.has(definition.class)) return false;
    const known = this.#entries.get(key);
    if (known !== undefined && known.revision === revision) return false;
    const { namespace, name } = document.metadata;
    const base = { key, revision, kind: document.kind, namespace, name, class: definition.class };
    if (document.deleted === true) {
      this.#entries.set(key, { ...base, parsed: undefined, deleted: true, fault: undefined });
      return true;
    }
    const { parsed, errors } = definition.parseSpec(document.spec ?? {}, "spec", { namespace, name });
    const [first] = errors;
    const fault =
      first === undefined && parsed !== undefined
        ? undefined
        : `${first?.path ?? "spec"}: ${first?.reason ?? "not readable"}`;
    const usable =
      definition.class === "mixer-rule" && fault === undefined ? parseRule(document, parsed as CompiledRule) : parsed;
    this.#entries.set(key, { ...base, parsed: fault === undefined ? usable : undefined, fault, deleted: false });
    return true;
  }
}

type Document = Resource & { readonly deleted?: boolean };

function parseDocument(value: Uint8Array): Document | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(value).toString("utf8"));
    if (typeof document !== "object" || document === null || !("kind" in document) || !("metadata" in document))
      return undefined;
    return document as Document;
  } catch {
    return undefined;
  }
}

function parseRule(document: Document, { condition, ...spec }: CompiledRule): ParsedRule {
  const always = condition.shape.kind === "constant" && condition.shape.value === true;
  const tcp =
    document.metadata.labels?.["istio-protocol"] === "tcp" ||
    condition.equalities.some(({ attribute, value }) => attribute === "context.protocol" && value === "tcp");
  return { spec, match: always ? undefined : condition, tcp };
}
