import type { PendingResource } from "../../shared/wire/index.ts";
import { type ConfigStore, configKey, ruleNameOfKey, versionNumber } from "./config-store.ts";

export interface PendingQuery {
  readonly kind?: string;
  readonly namespace?: string;
  readonly continue?: string;
}

export interface PendingPage {
  readonly items: readonly PendingResource[];
  readonly continue?: string;
}

/** What is accepted and not in force, in the order of kind, namespace and name; `reasonOf` takes `<kind>/<namespace>/<name>`. */
export function pendingPage(
  store: ConfigStore,
  reasonOf: (rule: string) => string | undefined,
  query: PendingQuery,
  maxBytes: number,
): PendingPage {
  const items: PendingResource[] = [];
  let bytes = 0;
  let last = "";
  const keyed = [...store.resources()].map((resource) => {
    const { kind, metadata } = resource;
    return { resource, key: configKey({ kind, namespace: metadata.namespace, name: metadata.name }) };
  });
  for (const { resource, key } of keyed.sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const { kind, metadata } = resource;
    const { namespace, name } = metadata;
    if (key <= (query.continue ?? "")) continue;
    if ((query.kind ?? kind) !== kind || (query.namespace ?? namespace) !== namespace) continue;
    const reason = reasonOf(ruleNameOfKey(key));
    if (reason === undefined) continue;
    const item = { kind, namespace, name, revision: versionNumber(resource), reason };
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1;
    if (items.length > 0 && bytes > maxBytes) return { items, continue: last };
    items.push(item);
    last = key;
  }
  return { items };
}
