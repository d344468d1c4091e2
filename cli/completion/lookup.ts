import { ConfigClient } from "../../client/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { ProxyStatus, SyncRequest } from "../../shared/wire/index.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { readContexts } from "../contexts.ts";
import { resolveKind } from "../documents.ts";
import type { CliIo } from "../io.ts";
import { proxyName } from "../live/proxies.ts";
import { listRegistry } from "../registry-client.ts";
import type { Lookup, Typed } from "./complete.ts";

const CONNECT_TIMEOUT_MS = 300;
const GATHER = { quietMs: 60, maxMs: 250 } as const;
const MAX_OFFERED = 200;

/** Asks the mesh that the words before the cursor name. */
export function meshLookup(io: CliIo): Lookup {
  const ask = <T>({ options }: Typed, run: (bus: Bus) => Promise<readonly T[]>) =>
    withBus(options as ConnectionFlags, io, run, { connectTimeoutMs: CONNECT_TIMEOUT_MS });
  const proxies = (typed: Typed) =>
    ask(typed, (bus) => bus.gather(bus.subjects.syncStatus(), SyncRequest, {}, ProxyStatus, GATHER));
  return {
    async names(spelling, typed) {
      const { kind, namespaceDefault } = resolveKind(spelling);
      const { namespace = namespaceDefault } = typed.options as { namespace?: string };
      const query = typed.options["allNamespaces"] === true ? { kind } : { kind, namespace };
      const found = await ask(typed, (bus) => new ConfigClient(bus).list(query));
      return offered(found.map(({ metadata }) => metadata.name));
    },
    async namespaces(typed) {
      const found = await ask(typed, async (bus) => {
        const [resources, services] = await Promise.all([new ConfigClient(bus).list(), listRegistry(bus)]);
        return [...resources.map(({ metadata }) => metadata.namespace), ...services.map(({ namespace }) => namespace)];
      });
      return offered(found);
    },
    async services(typed) {
      return offered((await ask(typed, (bus) => listRegistry(bus))).map(({ name }) => name));
    },
    async proxies(typed) {
      return offered((await proxies(typed)).map(proxyName));
    },
    contexts: () => Object.keys(readContexts(io).contexts).sort(),
  };
}

function offered(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
    .filter((value) => value !== "")
    .sort()
    .slice(0, MAX_OFFERED);
}
