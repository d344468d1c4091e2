import { ConflictError, InvalidArgumentError, NotFoundError } from "../../shared/base/index.ts";
import {
  type AcceptedDocument,
  judgedDocuments,
  parseResource,
  type SubmittedDocument,
} from "../../shared/model/documents.ts";
import {
  accepted,
  type FieldError,
  type JsonValue,
  type KindRegistry,
  keyOf,
  type ParsedResource,
  type Resource,
  type ResourceKey,
  revisionOf,
  sameContent,
} from "../../shared/model/index.ts";
import {
  type ConfigStore,
  configKey,
  isTombstone,
  type StoredVersion,
  type Tombstone,
  tombstoneOf,
  versionNumber,
} from "./config-store.ts";
import { StoredResources, turnOf } from "./references.ts";

/**
 * What happens to a submission: every document is judged alone, and gets one result. A refused document changes
 * nothing: what was in force before it stays in force, and its neighbours are accepted all the same.
 *
 * Submissions are handled one after another, so that a check ("this revision", "this handler exists") still holds when
 * the resource is written. Within one submission, what names others (rules, routes) is judged after what may be
 * named (handlers, instances, subsets), wherever they stand in the file; results come in the order of the file.
 */
export type Outcome = "created" | "configured" | "unchanged" | "rejected" | "pending";

export interface ApplyResult {
  /** Place in the submission, from 0. */
  readonly document: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: Outcome;
  /** Of the resource as it is now; 0 when there is none. */
  readonly revision: number;
  readonly errors: readonly FieldError[];
  readonly warnings: readonly FieldError[];
}

export interface ApplyOptions {
  /** Judge only. */
  readonly dryRun?: boolean;
  /** Refuse what exists. */
  readonly create?: boolean;
  /** The revision that is expected now, 0 for none; for one document only. */
  readonly expectRevision?: number;
}

export interface ApplierOptions {
  readonly store: ConfigStore;
  readonly kinds: KindRegistry;
  /** Why a resource would wait before it comes into force; undefined when it would not. */
  readonly pendingReason: (resource: ParsedResource) => string | undefined;
  /** What is odd about a resource beside those in force, but may be meant; default: nothing. */
  readonly odditiesOf?: (resource: ParsedResource) => readonly { readonly reason: string; readonly remedy: string }[];
  /** Stores a version; throws when it could not. */
  readonly write: (version: StoredVersion) => Promise<void>;
}

/** A stored resource has to fit into a message, and many of them into a list. */
const MAX_RESOURCE_BYTES = 256 * 1024;
/** How long the reading of documents may hold the event loop. */
const MAX_TURN_MS = 50;

export class Applier {
  readonly #options: ApplierOptions;
  readonly #resources: StoredResources;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#resources = new StoredResources(options.store, options.kinds);
  }

  /** Throws InvalidArgumentError for a submission that is none; refused documents are results. */
  apply(text: string, options: ApplyOptions = {}): Promise<ApplyResult[]> {
    return this.#oneByOne(async () => {
      const documents = await this.#read(text);
      if (documents.length === 0) throw new InvalidArgumentError("the submission has no documents");
      if (options.expectRevision !== undefined && documents.length > 1) {
        throw new InvalidArgumentError(
          "an expected revision is for one document; with more, use metadata.resourceVersion in each",
        );
      }
      return await this.#applyAll(documents, options);
    });
  }

  /** Throws NotFoundError, or ConflictError when other resources need it or it changed meanwhile. */
  delete(key: ResourceKey, expectRevision?: number): Promise<Tombstone> {
    return this.#oneByOne(async () => {
      const { store, write } = this.#options;
      const current = store.get(key);
      if (current === undefined) throw new NotFoundError(`${describe(key)} not found`);
      const revision = revisionOf(current);
      if (expectRevision !== undefined && expectRevision !== revision) {
        throw new ConflictError(`${describe(key)} is at revision ${revision}, not ${expectRevision}`);
      }
      const [fault] = this.#resources.removalFaultsOf(key);
      if (fault !== undefined) throw new ConflictError(`${fault.reason}; ${fault.remedy}`);
      const tombstone = tombstoneOf(current, store.takeRevision(), new Date().toISOString());
      await write(tombstone);
      return tombstone;
    });
  }

  /** Makes an earlier revision (the one before the newest, when none is named) the newest again, as a new one. */
  rollback(key: ResourceKey, revision?: number): Promise<Resource> {
    return this.#oneByOne(async () => {
      const { store, kinds } = this.#options;
      const [newest, ...older] = store.history(key);
      if (newest === undefined) throw new NotFoundError(`${describe(key)} not found`);
      const wanted =
        revision === undefined
          ? older.find((item) => !isTombstone(item))
          : [newest, ...older].find((item) => versionNumber(item) === revision);
      if (wanted === undefined || isTombstone(wanted)) {
        throw new NotFoundError(
          `${describe(key)} has no ${revision === undefined ? "earlier revision" : `revision ${revision}`}`,
        );
      }
      const judged = parseResource(wanted as unknown as JsonValue, kinds);
      if (!judged.ok)
        throw new InvalidArgumentError(
          `revision ${versionNumber(wanted)} is not valid any more: ${firstReason(judged.errors)}`,
        );
      const errors = this.#resources.faultsOf(judged.parsed);
      if (errors.length > 0) throw new ConflictError(`revision ${versionNumber(wanted)}: ${firstReason(errors)}`);
      if (!isTombstone(newest) && sameContent(newest, wanted)) return newest;
      return await this.#store(judged.parsed.resource, store.get(key));
    });
  }

  /** Resolves when everything asked for so far is done. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** A long submission takes seconds to read: the lead would be lost if nothing else happened meanwhile. */
  async #read(text: string): Promise<SubmittedDocument[]> {
    const documents: SubmittedDocument[] = [];
    let turnEndsMs = performance.now() + MAX_TURN_MS;
    for (const document of judgedDocuments(text, this.#options.kinds)) {
      documents.push(document);
      if (performance.now() < turnEndsMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turnEndsMs = performance.now() + MAX_TURN_MS;
    }
    return documents;
  }

  async #applyAll(documents: readonly SubmittedDocument[], options: ApplyOptions): Promise<ApplyResult[]> {
    const results: ApplyResult[] = [];
    // What a dry run would have stored by now.
    const imagined = new Map<string, ParsedResource>();
    const turn = (document: SubmittedDocument): number => (document.ok ? turnOf(document.parsed) : 0);
    for (const document of documents.toSorted((a, b) => turn(a) - turn(b))) {
      results.push(
        document.ok
          ? await this.#applyOne(document, options, imagined)
          : this.#reject(document, document.errors, document.warnings),
      );
    }
    return results.sort((a, b) => a.document - b.document);
  }

  async #applyOne(
    document: AcceptedDocument,
    options: ApplyOptions,
    imagined: Map<string, ParsedResource>,
  ): Promise<ApplyResult> {
    const { store, pendingReason } = this.#options;
    const { resource } = document.parsed;
    const key = keyOf(resource);
    const current = store.get(key);
    const resources = this.#resources.with(imagined);
    const errors = resources.faultsOf(document.parsed);
    const warnings = [...(document.parsed.warnings ?? []), ...resources.warningsOf(document.parsed)];
    const refusals = [...this.#checkRevision(resource, current, options), ...errors];
    const sizeBytes = Buffer.byteLength(JSON.stringify(resource));
    if (sizeBytes > MAX_RESOURCE_BYTES) {
      refusals.push({
        path: "",
        value: sizeBytes,
        reason: `longer than ${MAX_RESOURCE_BYTES} bytes`,
        remedy: "make several resources of it",
      });
    }
    if (refusals.length > 0) return this.#reject(document, refusals, warnings);
    const waits = pendingReason(document.parsed);
    const odd = this.#options.odditiesOf?.(document.parsed) ?? [];
    const notes = [
      ...warnings,
      ...odd.map(({ reason, remedy }): FieldError => ({ path: "", value: null, reason, remedy })),
      ...(waits === undefined ? [] : [pendingNote(waits)]),
    ];
    const result = (outcome: Outcome, revision: number): ApplyResult => ({
      document: document.document,
      ...key,
      outcome,
      revision,
      errors: [],
      warnings: notes,
    });
    if (current !== undefined && sameContent(current, resource)) return result("unchanged", revisionOf(current));
    const outcome = waits !== undefined ? "pending" : current === undefined ? "created" : "configured";
    if (options.dryRun) {
      imagined.set(configKey(key), document.parsed);
      return result(outcome, current === undefined ? 0 : revisionOf(current));
    }
    return result(outcome, revisionOf(await this.#store(resource, current)));
  }

  /** Writes the next revision of a resource. */
  async #store(resource: Resource, current: Resource | undefined): Promise<Resource> {
    const { store, write } = this.#options;
    const nowMs = Date.now();
    const created = current?.metadata.creationTimestamp ?? store.takeTimestamp(nowMs);
    const stored = accepted(resource, store.takeRevision(), created, new Date(nowMs).toISOString());
    await write(stored);
    return stored;
  }

  #checkRevision(resource: Resource, current: Resource | undefined, options: ApplyOptions): FieldError[] {
    if (options.create && current !== undefined) {
      const reason = `already exists at revision ${revisionOf(current)}`;
      return [
        {
          path: "metadata.name",
          value: resource.metadata.name,
          reason,
          remedy: "use apply to change it, or another name",
        },
      ];
    }
    const { resourceVersion } = resource.metadata;
    const expected = options.expectRevision ?? (resourceVersion === undefined ? undefined : Number(resourceVersion));
    const revision = current === undefined ? 0 : revisionOf(current);
    if (expected === undefined || expected === revision) return [];
    const reason = current === undefined ? "does not exist any more" : `was changed: it is at revision ${revision}`;
    const remedy = "get the resource again, make the change in it, and apply that";
    return [{ path: "metadata.resourceVersion", value: String(expected), reason, remedy }];
  }

  #reject(
    document: SubmittedDocument,
    errors: readonly FieldError[],
    warnings: readonly FieldError[] = [],
  ): ApplyResult {
    const { kind, namespace, name } = document;
    const current = this.#options.store.get({ kind, namespace, name });
    const revision = current === undefined ? 0 : revisionOf(current);
    return { document: document.document, kind, namespace, name, outcome: "rejected", revision, errors, warnings };
  }

  #oneByOne<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#last.then(task, task);
    this.#last = run.catch(() => undefined);
    return run;
  }
}

function describe({ kind, namespace, name }: ResourceKey): string {
  return `${kind} ${namespace}/${name}`;
}

function pendingNote(reason: string): FieldError {
  return {
    path: "",
    value: null,
    reason: `waits: ${reason}`,
    remedy: "it comes into force by itself as soon as that is there",
  };
}

function firstReason(errors: readonly FieldError[]): string {
  const [first] = errors;
  return first === undefined ? "not readable" : `${first.path}: ${first.reason}`;
}
