import type { Labels } from "../../../shared/model/index.ts";

/**
 * The labels that subsets stood for when they were last known, by the rule that names them. A DestinationRule that drops a
 * subset which is still in use does not break the route: the last labels stay until the rule that names the subset changes.
 */
export class SubsetMemory {
  readonly #byOwner = new Map<string, Map<string, Labels>>();

  /** `callerNamespace` "" stands for all callers of no namespace in particular. */
  note(owner: string, callerNamespace: string, service: string, subset: string, labels: Labels): void {
    const known = this.#byOwner.get(owner) ?? new Map<string, Labels>();
    known.set(place(callerNamespace, service, subset), labels);
    this.#byOwner.set(owner, known);
  }

  labels(owner: string, callerNamespace: string, service: string, subset: string): Labels | undefined {
    const known = this.#byOwner.get(owner);
    return known?.get(place(callerNamespace, service, subset)) ?? known?.get(place("", service, subset));
  }

  forget(owner: string): void {
    this.#byOwner.delete(owner);
  }
}

function place(callerNamespace: string, service: string, subset: string): string {
  return `${callerNamespace} ${service} ${subset}`;
}
