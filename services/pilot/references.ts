import {
  type FieldError,
  isKind,
  type KindRegistry,
  type ParsedResource,
  QUOTA_SPEC_BINDING,
  type Resource,
  type ResourceKey,
  ROUTE_RULE,
  specOf,
  VIRTUAL_SERVICE,
} from "../../shared/model/index.ts";
import { checkReferences, checkRemoval, type PolicyResources } from "../../shared/policy/index.ts";
import { type ConfigStore, configKey } from "./config-store.ts";

/** Routes, which name what other resources define: services, subsets. They wait where it is not there. */
const ROUTES: ReadonlySet<string> = new Set([VIRTUAL_SERVICE.kind, ROUTE_RULE.kind]);

/** In which turn of a submission a resource is judged: what it may name goes before it. */
export function turnOf({ definition }: ParsedResource): 0 | 1 {
  const isRule = definition.class === "mixer-rule" || definition.class === "quota-binding";
  return isRule || ROUTES.has(definition.kind) ? 1 : 0;
}

/** What is stored, as the rules about references between resources want to see it. */
export class StoredResources implements PolicyResources {
  readonly #store: ConfigStore;
  readonly #kinds: KindRegistry;
  readonly #parsed = new WeakMap<Resource, ParsedResource>();

  constructor(store: ConfigStore, kinds: KindRegistry) {
    this.#store = store;
    this.#kinds = kinds;
  }

  find(key: ResourceKey): ParsedResource | undefined {
    const resource = this.#store.get(key);
    return resource === undefined ? undefined : this.#parse(resource);
  }

  *rules(): Generator<ParsedResource> {
    for (const resource of this.#store.resources()) {
      if (this.#kinds.get(resource.kind)?.class !== "mixer-rule") continue;
      const parsed = this.#parse(resource);
      if (parsed !== undefined) yield parsed;
    }
  }

  /** Why the resource cannot be accepted beside the others. */
  faultsOf(resource: ParsedResource): readonly FieldError[] {
    return checkReferences(resource, this);
  }

  /** What is odd, but may be meant: the other half may follow. */
  warningsOf(resource: ParsedResource): FieldError[] {
    if (!isKind(resource, QUOTA_SPEC_BINDING)) return [];
    return resource.parsed.quotaSpecs.flatMap(({ name, namespace }, i) => {
      if (this.find({ kind: "QuotaSpec", namespace, name }) !== undefined) return [];
      const value = `${namespace}/${name}`;
      return [
        {
          path: `spec.quotaSpecs[${i}]`,
          value,
          reason: `QuotaSpec ${value} not found`,
          remedy: "apply the QuotaSpec too",
        },
      ];
    });
  }

  /** Why the resource cannot be deleted. */
  removalFaultsOf(key: ResourceKey): readonly FieldError[] {
    return checkRemoval(key, this);
  }

  /** The same with more resources, which are only imagined to be stored. */
  with(imagined: ReadonlyMap<string, ParsedResource>): StoredResources {
    return imagined.size === 0 ? this : new ImaginedResources(this.#store, this.#kinds, imagined);
  }

  /** Undefined for a stored resource that is not valid. */
  #parse(resource: Resource): ParsedResource | undefined {
    const known = this.#parsed.get(resource);
    const definition = this.#kinds.get(resource.kind);
    if (known !== undefined || definition === undefined) return known;
    try {
      const parsed: ParsedResource = { resource, definition, parsed: specOf(definition, resource) };
      this.#parsed.set(resource, parsed);
      return parsed;
    } catch {
      return undefined;
    }
  }
}

/** What a dry run would have stored by now, over what is stored. */
class ImaginedResources extends StoredResources {
  readonly #imagined: ReadonlyMap<string, ParsedResource>;

  constructor(store: ConfigStore, kinds: KindRegistry, imagined: ReadonlyMap<string, ParsedResource>) {
    super(store, kinds);
    this.#imagined = imagined;
  }

  override find(key: ResourceKey): ParsedResource | undefined {
    return this.#imagined.get(configKey(key)) ?? super.find(key);
  }
}
