import { ConfigError, InvalidArgumentError } from "../base/index.ts";
import { closest } from "./closest.ts";
import type { KindDefinition, ParsedResource } from "./kind.ts";
import { DESTINATION_POLICY } from "./kinds/destination-policy.ts";
import { DESTINATION_RULE } from "./kinds/destination-rule.ts";
import { EGRESS_RULE } from "./kinds/egress-rule.ts";
import { GATEWAY } from "./kinds/gateway.ts";
import { INGRESS_RULE } from "./kinds/ingress-rule.ts";
import { MESH_CONFIG } from "./kinds/mesh-config.ts";
import { MIXER_RULE } from "./kinds/mixer-rule.ts";
import { OPEN_KINDS } from "./kinds/open.ts";
import { PROXY_CONFIG } from "./kinds/proxy-config.ts";
import { QUOTA_SPEC } from "./kinds/quota-spec.ts";
import { QUOTA_SPEC_BINDING } from "./kinds/quota-spec-binding.ts";
import { ROUTE_RULE } from "./kinds/route-rule.ts";
import { SERVICE_ENTRY } from "./kinds/service-entry.ts";
import { SIDECAR } from "./kinds/sidecar.ts";
import { VIRTUAL_SERVICE } from "./kinds/virtual-service.ts";
import { WORKLOAD_ENTRY } from "./kinds/workload-entry.ts";
import { WORKLOAD_GROUP } from "./kinds/workload-group.ts";
import type { Resource } from "./resource.ts";

/** The kinds this layer knows; those of Mixer's adapters and templates are open until the policy layer fills them. */
export const BUILT_IN_KINDS: readonly KindDefinition[] = [
  VIRTUAL_SERVICE,
  DESTINATION_RULE,
  GATEWAY,
  SERVICE_ENTRY,
  SIDECAR,
  WORKLOAD_ENTRY,
  WORKLOAD_GROUP,
  MESH_CONFIG,
  PROXY_CONFIG,
  ROUTE_RULE,
  DESTINATION_POLICY,
  EGRESS_RULE,
  INGRESS_RULE,
  QUOTA_SPEC,
  QUOTA_SPEC_BINDING,
  MIXER_RULE,
  ...OPEN_KINDS,
];

/** Every kind of a mesh, by any name a person may write. */
export interface KindRegistry {
  readonly definitions: readonly KindDefinition[];
  /** By its exact name. */
  get(kind: string): KindDefinition | undefined;
  /** By kind, singular, plural or short name in any letter case. Throws InvalidArgumentError that names the right spelling. */
  resolve(spelling: string): KindDefinition;
  /** The exact kind that a wrong one was meant to be. */
  suggest(kind: string): string | undefined;
}

/** The built-in kinds, with `extra` added; an extra definition of a built-in kind takes its place. */
export function createKindRegistry(extra: readonly KindDefinition[] = []): KindRegistry {
  const byKind = new Map<string, KindDefinition>();
  for (const definition of [...BUILT_IN_KINDS, ...extra]) byKind.set(definition.kind, definition);
  const definitions = [...byKind.values()];
  const spellings = new Map<string, KindDefinition>();
  for (const definition of definitions) {
    spellings.set(definition.kind.toLowerCase(), definition);
    spellings.set(definition.plural.toLowerCase(), definition);
    for (const short of definition.shortNames ?? []) spellings.set(short, definition);
  }
  const suggest = (kind: string): string | undefined => {
    const bare = kind.toLowerCase().replaceAll(/[-_ ]/g, "");
    return (spellings.get(bare) ?? spellings.get(closest(bare, spellings.keys()) ?? ""))?.kind;
  };
  return {
    definitions,
    get: (kind) => byKind.get(kind),
    suggest,
    resolve(spelling) {
      const found = spellings.get(spelling.toLowerCase());
      if (found !== undefined) return found;
      const meant = suggest(spelling);
      const hint =
        meant === undefined
          ? `known kinds: ${definitions.map((definition) => definition.kind).join(", ")}`
          : `did you mean ${meant.toLowerCase()}?`;
      throw new InvalidArgumentError(`unknown kind ${JSON.stringify(spelling)}; ${hint}`);
    },
  };
}

/** Narrows a parsed resource to one kind. */
export function isKind<T>(resource: ParsedResource, definition: KindDefinition<T>): resource is ParsedResource<T> {
  return resource.definition.kind === definition.kind;
}

/** What a stored resource's spec means. Throws ConfigError when it is not valid. */
export function specOf<T>(definition: KindDefinition<T>, resource: Resource): T {
  const { namespace, name } = resource.metadata;
  const result = definition.parseSpec(resource.spec, "spec", { namespace, name });
  const [first] = result.errors;
  if (first !== undefined || result.parsed === undefined) {
    throw new ConfigError(
      `${resource.kind} ${namespace}/${name}: ${first?.path ?? "spec"}: ${first?.reason ?? "not readable"}`,
      {
        details: { errors: result.errors },
      },
    );
  }
  return result.parsed;
}
