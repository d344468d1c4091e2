import type { StoredValue } from "../../shared/bus/index.ts";
import { serviceHost } from "../../shared/model/index.ts";
import { EndpointSet, parseTableKey, ServiceConfig } from "../../shared/wire/index.ts";
import type { Broadcaster } from "./broadcaster.ts";
import { COMPILED_TABLES, type CompiledTableName } from "./compile/compiled-tables.ts";
import type { Compiler } from "./compile/compiler.ts";
import type { EndpointShards } from "./endpoint-shards.ts";
import type { Registry } from "./registry.ts";
import type { Turn } from "./turn.ts";

/** What the tables of compiled values hold, by key. */
export type FoundTables = Readonly<
  Record<"service" | "endpoints" | CompiledTableName, ReadonlyMap<string, StoredValue>>
>;

export interface TakeOverParts {
  readonly compiler: Compiler;
  readonly broadcaster: Broadcaster;
  readonly shards: EndpointShards;
  readonly registry: Registry;
  /** Runs a step whose failure must not stop the others. */
  readonly guarded: (what: string, step: () => void) => void;
  readonly turn: Turn;
}

/**
 * Takes over what an earlier leader wrote: what is compiled again and says the same keeps its bytes, and who had registered is
 * known before it is heard. What configuration names is left to configuration: nobody of it has registered.
 */
export async function takeOver(found: FoundTables, parts: TakeOverParts): Promise<void> {
  const { compiler, broadcaster, registry, guarded, turn } = parts;
  for (const [key, { value }] of found.service) {
    await turn.pause();
    guarded(`service ${key}`, () => takeOverService(key, value, parts));
  }
  for (const [key, { value }] of found.endpoints) {
    await turn.pause();
    guarded(`endpoints ${key}`, () => {
      const [namespace = "", name = ""] = parseTableKey(key);
      for (const endpoint of EndpointSet.decode(value).endpoints) {
        // Those that configuration names have no identity, or have registered as another service.
        if (endpoint.principal !== "" && endpoint.service === "") registry.seedEndpoint(namespace, name, endpoint);
      }
    });
  }
  for (const table of COMPILED_TABLES) {
    for (const [key, { value }] of found[table]) {
      await turn.pause();
      guarded(`${table} ${key}`, () => {
        const { shape, requires } = compiler.restore(table, key, value);
        broadcaster.restore(table, key, shape, requires);
        const [namespace = "", name = ""] = parseTableKey(key);
        if (table === "gateway") registry.seedGateway(namespace, name);
      });
    }
  }
}

function takeOverService(
  key: string,
  value: Uint8Array,
  { compiler, broadcaster, shards, registry }: TakeOverParts,
): void {
  const config = ServiceConfig.decode(value);
  const { namespace, name, host, ports, serviceAccounts, endpointShards } = config;
  compiler.restoreService(key, config);
  broadcaster.restoreService(key, config);
  if (endpointShards > 0) shards.restore(key, endpointShards);
  // Who has registered has an identity, and a host that is made of its name.
  const isRegistered = host === serviceHost({ namespace, service: name }) && serviceAccounts.length > 0;
  if (isRegistered) registry.seedService(namespace, name, ports, serviceAccounts);
}
