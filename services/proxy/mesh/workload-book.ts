import { type Clock, errorMessage } from "../../../shared/base/index.ts";
import type { FollowedKey, FollowedTable } from "../../../shared/bus/index.ts";
import { ROOT_NAMESPACE } from "../../../shared/model/index.ts";
import { type MeshDefaults, type SidecarScope, tableKey, WorkloadConfig } from "../../../shared/wire/index.ts";
import type { Peer } from "../stream/record.ts";

/** What the mesh says about this workload; undefined: nothing. */
export interface WorkloadTold {
  readonly mesh: MeshDefaults | undefined;
  readonly scope: SidecarScope | undefined;
}

export interface WorkloadBookOptions {
  readonly workloads: FollowedTable;
  readonly self: Pick<Peer, "namespace" | "labels">;
  readonly clock: Clock;
  /**
   * Puts it in force, at once. Returns why some of the mesh's defaults cannot be. Throws when nothing can: then what was
   * before stays. Both are reported.
   */
  adopt(told: WorkloadTold): string | undefined;
}

interface BookKey {
  readonly follow: FollowedKey;
  /** In force. */
  config: WorkloadConfig | undefined;
}

/**
 * What is set for this workload from outside: of its own namespace, and of the root namespace, which stands for the whole
 * mesh. The first scope whose labels the workload carries is its own; the root's count when its namespace has none
 * that does.
 *
 * While the bus has not answered, the proxy is as it was started. It does not wait longer than a moment for this: a mesh
 * without such settings must not be held up by them.
 */
export class WorkloadBook {
  readonly #options: WorkloadBookOptions;
  readonly #own: BookKey;
  readonly #root: BookKey;

  constructor(options: WorkloadBookOptions) {
    this.#options = options;
    const { namespace } = options.self;
    this.#root = this.#open(ROOT_NAMESPACE);
    this.#own = namespace === ROOT_NAMESPACE ? this.#root : this.#open(namespace);
    for (const key of this.#keys) {
      key.follow.onChange(() => this.#read(key));
      this.#read(key);
    }
  }

  /** Resolves when the bus has answered for every key, or has shown that it cannot; at the latest after `timeoutMs`. */
  async answered(timeoutMs: number): Promise<void> {
    await Promise.all([...this.#keys].map(({ follow }) => hasAnswered(follow, timeoutMs, this.#options.clock)));
  }

  close(): void {
    for (const { follow } of this.#keys) follow.close();
  }

  get #keys(): ReadonlySet<BookKey> {
    return new Set([this.#root, this.#own]);
  }

  #open(namespace: string): BookKey {
    return { follow: this.#options.workloads.follow(tableKey(namespace)), config: undefined };
  }

  #read(key: BookKey): void {
    const { value, state, epoch, sequence, applied } = key.follow;
    if (value === undefined && state !== "absent") return;
    const before = key.config;
    try {
      key.config = value === undefined ? undefined : WorkloadConfig.decode(value);
      const refused = this.#options.adopt({ mesh: this.#root.config?.mesh ?? undefined, scope: this.#scope() });
      // The mesh's defaults are the root's, whichever of the two keys has changed.
      if (refused !== undefined) this.#root.follow.setApplied({ ...this.#root.follow.applied, reason: refused });
      if (key.config === undefined || (key === this.#root && refused !== undefined)) return;
      key.follow.setApplied({ epoch, sequence, revision: key.config.revision });
    } catch (error) {
      key.config = before;
      key.follow.setApplied({ ...applied, reason: errorMessage(error) });
    }
  }

  #scope(): SidecarScope | undefined {
    return scopeFor(this.#options.self.labels, this.#own.config, this.#root.config);
  }
}

/** A workload's own scope: its namespace's come before those of the root namespace. */
export function scopeFor(
  workload: Readonly<Record<string, string>>,
  ...configs: readonly (WorkloadConfig | undefined)[]
): SidecarScope | undefined {
  return configs.flatMap((config) => config?.sidecars ?? []).find(({ labels }) => carries(workload, labels));
}

function carries(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

function hasAnswered(follow: FollowedKey, timeoutMs: number, clock: Clock): Promise<void> {
  if (follow.state !== "loading") return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      cancel();
      stop();
      resolve();
    };
    const cancel = clock.after(timeoutMs, settle);
    const stop = follow.onChange(() => {
      if (follow.state !== "loading") settle();
    });
  });
}
