import { errorMessage, InvalidArgumentError, MeshError, NotFoundError } from "../../shared/base/index.ts";
import type { Bus, BusMessage, BusSubscription, QueuedMessage, ServeReply } from "../../shared/bus/index.ts";
import { DEFAULT_NAMESPACE, type KindRegistry, type ResourceKey } from "../../shared/model/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import type { ConfigVerb } from "../../shared/wire/index.ts";
import { fitResults } from "./answer-size.ts";
import type { Applier, ApplyOptions, ApplyResult } from "./apply.ts";
import { type ConfigStore, type StoredVersion, versionNumber } from "./config-store.ts";
import { pendingPage } from "./pending.ts";
import type { Registry } from "./registry.ts";
import { registryPage } from "./registry-list.ts";

export const DRY_RUN_HEADER = "Mesh-Dry-Run";
export const CREATE_HEADER = "Mesh-Create";
export const EXPECT_REVISION_HEADER = "Mesh-Expect-Revision";

/** JSON bytes of an answer's items at most, well below what a message may have. */
const MAX_PAGE_BYTES = 480 * 1024;
const MIN_EVENT_BYTES = 4 * 1024;

export interface HandlerOptions {
  /** The connection into account MESH. */
  readonly bus: Bus;
  readonly log: Logger;
  readonly store: ConfigStore;
  readonly kinds: KindRegistry;
}

/** Body of delete, get, list, history and rollback. */
export interface Query {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Of the registry. */
  readonly service?: string;
  readonly revision?: number;
  readonly continue?: string;
  readonly limit?: number;
}

/** What every replica answers: reading. */
export function serveReads(options: HandlerOptions): BusSubscription[] {
  const { store, kinds } = options;
  const serve = serverOf(options);
  return [
    serve("get", (query) => {
      const key = keyOfQuery(query, kinds);
      const item = query.revision === undefined ? store.get(key) : versionAt(store, key, query.revision);
      if (item === undefined) throw notFound(key, query.revision);
      return { items: [item] };
    }),
    serve("list", (query) => {
      const page = store.list({
        ...(query.kind !== undefined && { kind: query.kind }),
        ...(query.namespace !== undefined && { namespace: query.namespace }),
        ...(query.continue !== undefined && { continue: query.continue }),
        ...(query.limit !== undefined && { limit: query.limit }),
        maxBytes: MAX_PAGE_BYTES,
      });
      return { items: page.items, ...(page.continue !== undefined && { continue: page.continue }) };
    }),
    serve("history", (query) => {
      const key = keyOfQuery(query, kinds);
      const items = pageOf(store.history(key));
      if (items.length === 0) throw notFound(key, undefined);
      return { items };
    }),
  ];
}

/** What every replica answers: who is registered. */
export function serveRegistry(options: HandlerOptions, registry: Registry): BusSubscription {
  return serveQuery(options, options.bus.subjects.registryList(), (query) =>
    registryPage(registry, query, MAX_PAGE_BYTES),
  );
}

/** What only the leader answers: changes, and why some are not in force. */
export function serveChanges(
  options: HandlerOptions,
  applier: Applier,
  pendingReason: (rule: string) => string | undefined,
): BusSubscription[] {
  const { bus, log, kinds, store } = options;
  const serve = serverOf(options);
  return [
    bus.serve(
      bus.subjects.config("apply"),
      (message) =>
        answered(log, async () => {
          const results = await submit(options, applier, message.text(), (name) => message.header(name));
          return { results: fitResults(results, MAX_PAGE_BYTES) };
        }),
      { queue: bus.subjects.queue("pilot") },
    ),
    serve("delete", async (query, message) => {
      const expected = expectedRevision(message.header(EXPECT_REVISION_HEADER)) ?? query.revision;
      return { items: [await applier.delete(keyOfQuery(query, kinds), expected)] };
    }),
    serve("pending", (query) => pendingPage(store, pendingReason, query, MAX_PAGE_BYTES)),
    serve("rollback", async (query) => ({ items: [await applier.rollback(keyOfQuery(query, kinds), query.revision)] })),
  ];
}

/**
 * Handles one message of the submission queue. Throws when the message must come again: this replica cannot write
 * now. Everything else is the submitter's fault and is told on `config.rejected`.
 */
export async function handleSubmitted(
  options: HandlerOptions,
  applier: Applier,
  message: QueuedMessage,
): Promise<void> {
  try {
    await submit(options, applier, message.text(), (name) => message.header(name));
  } catch (error) {
    if (error instanceof MeshError && error.retryable) throw error;
    options.log.warn({ reason: errorMessage(error) }, "a queued submission was refused");
  }
}

/** The submitter of a message that ended one Pilot after another learns that nobody will try again. */
export function refuseSubmitted({ bus }: HandlerOptions): void {
  reportRefused(bus, refusedWhole("several Pilots ended while they read it"));
}

async function submit(
  options: HandlerOptions,
  applier: Applier,
  text: string,
  header: (name: string) => string | undefined,
): Promise<ApplyResult[]> {
  const { bus, log } = options;
  const isDryRun = isOn(header(DRY_RUN_HEADER));
  try {
    const expectRevision = expectedRevision(header(EXPECT_REVISION_HEADER));
    const applyOptions: ApplyOptions = {
      dryRun: isDryRun,
      create: isOn(header(CREATE_HEADER)),
      ...(expectRevision !== undefined && { expectRevision }),
    };
    const results = await applier.apply(text, applyOptions);
    for (const result of results) {
      const { kind, namespace, name, outcome, revision, errors } = result;
      if (outcome !== "rejected") {
        if (outcome !== "unchanged" && !isDryRun)
          log.info({ kind, namespace, name, outcome, revision }, "configuration accepted");
        continue;
      }
      log.info({ kind, namespace, name, path: errors[0]?.path, reason: errors[0]?.reason }, "configuration refused");
      if (!isDryRun) reportRefused(bus, result, results.length);
    }
    return results;
  } catch (error) {
    if (!isDryRun && !(error instanceof MeshError && error.retryable)) {
      reportRefused(bus, refusedWhole(error instanceof MeshError ? error.message : "internal error"));
    }
    throw error;
  }
}

/** `among` documents of one submission: their refusals together must fit into what may be under way on the bus. */
function reportRefused(bus: Bus, result: ApplyResult, among = 1): void {
  const { kind, namespace, name } = result;
  const [event] = fitResults([result], Math.max(MIN_EVENT_BYTES, MAX_PAGE_BYTES / among));
  bus.publishJson(bus.subjects.configRejected(kind, namespace, name), event);
}

/** A submission that could not be taken apart, in the shape of a result. */
function refusedWhole(reason: string): ApplyResult {
  const errors = [{ path: "", value: null, reason, remedy: "send one or more resources as YAML or JSON" }];
  return { document: 0, kind: "", namespace: "", name: "", outcome: "rejected", revision: 0, errors, warnings: [] };
}

type QueryHandler = (query: Query, message: BusMessage) => object | Promise<object>;

function serverOf(options: HandlerOptions): (verb: ConfigVerb, handler: QueryHandler) => BusSubscription {
  return (verb, handler) => serveQuery(options, options.bus.subjects.config(verb), handler);
}

function serveQuery({ bus, log, kinds }: HandlerOptions, subject: string, handler: QueryHandler): BusSubscription {
  return bus.serve(
    subject,
    (message) => answered(log, async () => handler(parseQuery(message.text(), kinds), message)),
    { queue: bus.subjects.queue("pilot") },
  );
}

/** These verbs carry their errors in the JSON body. */
async function answered(log: Logger, handle: () => Promise<object>): Promise<ServeReply> {
  try {
    return { json: await handle() };
  } catch (error) {
    if (error instanceof MeshError) return { json: { error: { code: error.code, message: error.message } } };
    log.error({ err: error }, "a configuration request failed");
    return { json: { error: { code: "ERR_MESH_INTERNAL", message: "internal error" } } };
  }
}

function parseQuery(text: string, kinds: KindRegistry): Query {
  let body: unknown;
  try {
    body = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('not JSON; send {"kind","namespace","name"}');
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new InvalidArgumentError("not a JSON object");
  const given = body as Record<string, unknown>;
  const textOf = (field: string): string | undefined => {
    const value = given[field];
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") throw new InvalidArgumentError(`${field} must be text`);
    return value;
  };
  const numberOf = (field: string): number | undefined => {
    const value = given[field];
    if (value === undefined || value === null) return undefined;
    const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number) || number < 0)
      throw new InvalidArgumentError(`${field} must be a whole number`);
    return number;
  };
  const kind = textOf("kind");
  const namespace = textOf("namespace");
  const name = textOf("name");
  const service = textOf("service");
  const revision = numberOf("revision");
  const limit = numberOf("limit");
  const token = textOf("continue");
  return {
    ...(kind !== undefined && { kind: kinds.resolve(kind).kind }),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(service !== undefined && { service }),
    ...(revision !== undefined && { revision }),
    ...(limit !== undefined && { limit: Math.max(1, limit) }),
    ...(token !== undefined && { continue: token }),
  };
}

function keyOfQuery(query: Query, kinds: KindRegistry): ResourceKey {
  if (query.kind === undefined || query.name === undefined) throw new InvalidArgumentError("kind and name are needed");
  const namespace = query.namespace ?? kinds.get(query.kind)?.namespaceDefault ?? DEFAULT_NAMESPACE;
  return { kind: query.kind, namespace, name: query.name };
}

function versionAt(store: ConfigStore, key: ResourceKey, revision: number): StoredVersion | undefined {
  return store.history(key).find((item) => versionNumber(item) === revision);
}

/** As many of the newest as a message takes. */
function pageOf(versions: readonly StoredVersion[]): StoredVersion[] {
  const items: StoredVersion[] = [];
  let bytes = 0;
  for (const version of versions) {
    bytes += Buffer.byteLength(JSON.stringify(version)) + 1;
    if (items.length > 0 && bytes > MAX_PAGE_BYTES) break;
    items.push(version);
  }
  return items;
}

function notFound({ kind, namespace, name }: ResourceKey, revision: number | undefined): MeshError {
  const what = revision === undefined ? "" : ` at revision ${revision}`;
  return new NotFoundError(`${kind} ${namespace}/${name}${what} not found`);
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(?:true|1|yes)$/i.test(value);
}

function expectedRevision(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,10}$/.test(value))
    throw new InvalidArgumentError(`${EXPECT_REVISION_HEADER}: ${JSON.stringify(value)} is not a revision`);
  return Number(value);
}
