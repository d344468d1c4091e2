import type { ConfigClient } from "../../client/index.ts";
import type { KindDefinition, Resource, ResourceKey } from "../../shared/model/index.ts";
import { allKinds, resolveKind } from "../documents.ts";
import { UsageError } from "../io.ts";
import type { LabelSelector } from "./label-selector.ts";

/**
 * Which resources a command line means, in kubectl's spellings: `vs`, `vs,dr`, `all`, `vs NAME NAME`, `vs/NAME dr/NAME`.
 * Without a namespace a kind's default one is meant.
 */
export interface Selection {
  readonly kinds: readonly KindDefinition[];
  /** What is named; undefined: all of the kinds. */
  readonly named: readonly NamedResource[] | undefined;
}

export interface NamedResource {
  readonly definition: KindDefinition;
  readonly name: string;
  /** As it was written. */
  readonly label: string;
}

export interface SelectionFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: LabelSelector;
}

/** Throws UsageError. */
export function parseSelection(words: readonly string[], flags: SelectionFlags): Selection {
  const [first, ...names] = words;
  if (first === undefined) return { kinds: [resolveKind(undefined)], named: undefined };
  const selection = first.includes("/") ? pairs(words) : ofKinds(first, names);
  if (selection.named === undefined) return selection;
  if (flags.allNamespaces === true) throw new UsageError("a name is one namespace's: leave -A or the name out");
  if (flags.selector !== undefined) throw new UsageError("give either names or a selector");
  return selection;
}

function ofKinds(spellings: string, names: readonly string[]): Selection {
  const kinds = spellings.toLowerCase() === "all" ? allKinds() : unique(spellings.split(",").map(resolveKind));
  const [definition] = kinds;
  if (names.length === 0 || definition === undefined) return { kinds, named: undefined };
  if (kinds.length > 1) throw new UsageError("names are of one kind; write kind/name for several");
  const mixed = names.find((name) => name.includes("/"));
  if (mixed !== undefined) throw new UsageError(`write kind/name for all resources, or for none: ${mixed}`);
  return { kinds, named: names.map((name) => ({ definition, name, label: `${spellings} ${name}` })) };
}

function pairs(words: readonly string[]): Selection {
  const named = words.map((word) => {
    const [spelling = "", name = "", ...more] = word.split("/");
    if (name === "" || more.length > 0) throw new UsageError(`write kind/name for all resources: ${word}`);
    return { definition: resolveKind(spelling), name, label: `${spelling} ${name}` };
  });
  return { kinds: unique(named.map(({ definition }) => definition)), named };
}

function unique(kinds: readonly KindDefinition[]): readonly KindDefinition[] {
  return [...new Map(kinds.map((definition) => [definition.kind, definition])).values()];
}

/** All resources of the kinds that fit, in the order of kind, namespace and name. */
export async function listSelected(
  client: ConfigClient,
  kinds: readonly KindDefinition[],
  { namespace, allNamespaces, selector }: SelectionFlags,
): Promise<readonly Resource[]> {
  const found: Resource[] = [];
  for (const { kind, namespaceDefault } of kinds) {
    const query = allNamespaces === true ? { kind } : { kind, namespace: namespace ?? namespaceDefault };
    found.push(...(await client.list(query)));
  }
  return selector === undefined ? found : found.filter(({ metadata }) => selector(metadata.labels ?? {}));
}

/** Whether a watch over all kinds and namespaces is about it. */
export function isSelected(
  {
    kind,
    metadata,
  }: { readonly kind: string; readonly metadata: { readonly namespace: string; readonly name: string } },
  { kinds, named }: Selection,
  { namespace, allNamespaces }: SelectionFlags,
): boolean {
  const definition = kinds.find((each) => each.kind === kind);
  if (definition === undefined) return false;
  if (allNamespaces !== true && metadata.namespace !== (namespace ?? definition.namespaceDefault)) return false;
  return named === undefined || named.some((each) => each.definition.kind === kind && each.name === metadata.name);
}

/** The one resource that `KIND NAME` or `KIND/NAME` means. Throws UsageError. */
export function oneNamed(kind: string, name: string | undefined, namespace: string | undefined): ResourceKey {
  const { named } = parseSelection(name === undefined ? [kind] : [kind, name], {});
  const [only, ...more] = named ?? [];
  if (only === undefined || more.length > 0) throw new UsageError("give the kind and the name of one resource");
  return { kind: only.definition.kind, namespace: namespace ?? only.definition.namespaceDefault, name: only.name };
}
