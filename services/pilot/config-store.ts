import { InternalError } from "../../shared/base/index.ts";
import { type KindRegistry, keyOf, type Resource, type ResourceKey } from "../../shared/model/index.ts";
import { kindToken, parseTableKey, tableKey } from "../../shared/wire/index.ts";

/**
 * Every accepted resource of the mesh, with its last revisions. All replicas hold the same: the leader puts in what it
 * accepts, the others what table `config` broadcasts, and each starts from its own journal. Of two versions of
 * a resource the one with the higher revision is the newer, whichever way it came; the counter behind the revisions is
 * one for the whole mesh.
 *
 * A deletion is a version like any other (a tombstone), so that it wins over older ones that turn up late.
 */
export interface Tombstone {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly resourceVersion: string;
    /** When it was deleted, RFC 3339 in UTC with milliseconds. */
    readonly updateTimestamp?: string;
  };
  readonly deleted: true;
}

export type StoredVersion = Resource | Tombstone;

export interface ConfigPage {
  readonly items: readonly Resource[];
  /** Where the next page starts; undefined on the last one. */
  readonly continue: string | undefined;
}

export interface ListOptions {
  /** All kinds when absent. */
  readonly kind?: string;
  /** All namespaces when absent. */
  readonly namespace?: string;
  readonly continue?: string;
  /** Items at most. */
  readonly limit?: number;
  /** JSON bytes at most; one item is always given. */
  readonly maxBytes: number;
}

/** Versions kept of one resource. */
const HISTORY_LENGTH = 10;
const MAX_REVISION = 0xffff_ffff;

export class ConfigStore {
  /** By key of table `config`; versions oldest first. */
  readonly #versions = new Map<string, StoredVersion[]>();
  readonly #listeners = new Set<(key: string, version: StoredVersion) => void>();
  #revision = 0;
  #lastCreationMs = 0;

  /** The highest revision seen. */
  get revision(): number {
    return this.#revision;
  }

  /** Resources and tombstones. */
  get size(): number {
    return this.#versions.size;
  }

  onAccepted(listener: (key: string, version: StoredVersion) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes in a version from anywhere; false when it was known. A late older one only fills the history. */
  observe(version: StoredVersion): boolean {
    const key = configKey(keyOfVersion(version));
    const revision = versionNumber(version);
    const versions = this.#versions.get(key) ?? [];
    if (versions.some((item) => versionNumber(item) === revision)) return false;
    const newest = versions.at(-1);
    versions.push(version);
    versions.sort((a, b) => versionNumber(a) - versionNumber(b));
    if (versions.length > HISTORY_LENGTH) versions.shift();
    this.#versions.set(key, versions);
    this.#revision = Math.max(this.#revision, revision);
    if (!isTombstone(version)) this.#lastCreationMs = Math.max(this.#lastCreationMs, createdMs(version));
    if (newest !== undefined && versionNumber(newest) > revision) return true;
    for (const listener of this.#listeners) listener(key, version);
    return true;
  }

  /** A revision that no change had; never given out twice, also when the change then fails. */
  takeRevision(): number {
    if (this.#revision >= MAX_REVISION) throw new InternalError("revisions are used up");
    this.#revision++;
    return this.#revision;
  }

  /** When something new was first accepted: RFC 3339, in milliseconds, and later than everything accepted before. */
  takeTimestamp(nowMs: number): string {
    this.#lastCreationMs = Math.max(nowMs, this.#lastCreationMs + 1);
    return new Date(this.#lastCreationMs).toISOString();
  }

  /** The newest version, tombstones included. */
  newest(key: ResourceKey): StoredVersion | undefined {
    return this.#versions.get(configKey(key))?.at(-1);
  }

  /** Undefined when there is none or it was deleted. */
  get(key: ResourceKey): Resource | undefined {
    const newest = this.newest(key);
    return newest === undefined || isTombstone(newest) ? undefined : newest;
  }

  /** Newest first. */
  history(key: ResourceKey): readonly StoredVersion[] {
    return [...(this.#versions.get(configKey(key)) ?? [])].reverse();
  }

  *resources(): Generator<Resource> {
    for (const versions of this.#versions.values()) {
      const newest = versions.at(-1);
      if (newest !== undefined && !isTombstone(newest)) yield newest;
    }
  }

  /** The newest version under every key, tombstones included. */
  *newestVersions(): Generator<[key: string, version: StoredVersion]> {
    for (const [key, versions] of this.#versions) {
      const newest = versions.at(-1);
      if (newest !== undefined) yield [key, newest];
    }
  }

  /** All that is kept, in the order in which it was accepted. */
  allVersions(): StoredVersion[] {
    return [...this.#versions.values()].flat().sort((a, b) => versionNumber(a) - versionNumber(b));
  }

  /** In the order of kind, namespace and name. */
  list(options: ListOptions): ConfigPage {
    const items: Resource[] = [];
    let bytes = 0;
    for (const key of [...this.#versions.keys()].sort()) {
      if (options.continue !== undefined && key <= options.continue) continue;
      const newest = this.#versions.get(key)?.at(-1);
      if (newest === undefined || isTombstone(newest)) continue;
      if (options.kind !== undefined && newest.kind !== options.kind) continue;
      if (options.namespace !== undefined && newest.metadata.namespace !== options.namespace) continue;
      bytes += Buffer.byteLength(JSON.stringify(newest)) + 1;
      const last = items.at(-1);
      if (last !== undefined && (bytes > options.maxBytes || items.length >= (options.limit ?? Infinity))) {
        return { items, continue: configKey(keyOf(last)) };
      }
      items.push(newest);
    }
    return { items, continue: undefined };
  }
}

export function isTombstone(version: StoredVersion): version is Tombstone {
  return "deleted" in version && version.deleted;
}

export function tombstoneOf(resource: Resource, revision: number, updateTimestamp: string): Tombstone {
  const { name, namespace } = resource.metadata;
  return {
    apiVersion: resource.apiVersion,
    kind: resource.kind,
    metadata: { name, namespace, resourceVersion: String(revision), updateTimestamp },
    deleted: true,
  };
}

/** The key in table `config`. */
export function configKey({ kind, namespace, name }: ResourceKey): string {
  return `${kindToken(kind)}.${tableKey(namespace, name)}`;
}

/** `<kind>/<namespace>/<name>` of a key in table `config`. */
export function ruleNameOfKey(key: string): string {
  return parseTableKey(key).join("/");
}

export function versionNumber(version: StoredVersion): number {
  return Number(version.metadata.resourceVersion ?? "0");
}

/** 0 when it is not known. */
function createdMs({ metadata }: Resource): number {
  return Date.parse(metadata.creationTimestamp ?? "") || 0;
}

function keyOfVersion(version: StoredVersion): ResourceKey {
  return { kind: version.kind, namespace: version.metadata.namespace, name: version.metadata.name };
}

/** Anything read back from disk or bus; undefined when it is no version of a resource of a known kind. */
export function parseVersion(value: unknown, kinds: KindRegistry): StoredVersion | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { kind, metadata, spec, deleted, apiVersion } = value as Record<string, unknown>;
  if (typeof kind !== "string" || kinds.get(kind) === undefined || typeof apiVersion !== "string") return undefined;
  if (typeof metadata !== "object" || metadata === null) return undefined;
  const { name, namespace, resourceVersion } = metadata as Record<string, unknown>;
  if (typeof name !== "string" || typeof namespace !== "string" || typeof resourceVersion !== "string")
    return undefined;
  if (!/^[1-9]\d{0,9}$/.test(resourceVersion)) return undefined;
  if (deleted !== true && (typeof spec !== "object" || spec === null)) return undefined;
  return value as StoredVersion;
}
