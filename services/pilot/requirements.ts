import type { RequirementInput } from "../../shared/wire/index.ts";

/**
 * What a follower must hold before it may use a compiled value: positions of other keys.
 *
 * A position is pinned when the routes change and then left alone: were it brought up to date each time an
 * instance comes or goes, every such change would rewrite the value of every service that sends there.
 */
export interface Pinned {
  /** What decides whether the old positions still say enough. */
  readonly shape: string;
  readonly requires: readonly RequirementInput[];
}

export interface KeyPosition {
  readonly epoch: number;
  readonly sequence: number;
}

/** A key of another table that the value depends on. */
export interface Dependency {
  readonly table: "service" | "endpoints";
  readonly key: string;
}

export function pin(
  shape: string,
  dependencies: readonly Dependency[],
  position: (dependency: Dependency) => KeyPosition | undefined,
  before: Pinned | undefined,
): Pinned {
  const requires: RequirementInput[] = [];
  for (const dependency of dependencies) {
    const found = position(dependency);
    if (found !== undefined) requires.push({ ...dependency, epoch: found.epoch, sequence: found.sequence });
  }
  if (before?.shape === shape && stillHolds(before.requires, requires)) return before;
  return { shape, requires };
}

/** The same keys of the same buckets, none of which went back. */
function stillHolds(before: readonly RequirementInput[], now: readonly RequirementInput[]): boolean {
  return (
    before.length === now.length &&
    before.every((requirement, i) => {
      const current = now[i];
      return (
        current !== undefined &&
        requirement.table === current.table &&
        requirement.key === current.key &&
        requirement.epoch === current.epoch &&
        (requirement.sequence ?? 0) <= (current.sequence ?? 0)
      );
    })
  );
}
