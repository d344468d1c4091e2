import type { TrafficPolicy } from "../../../shared/wire/index.ts";
import { type Caller, isSource } from "../route/caller.ts";

export type Labels = Readonly<Record<string, string>>;

/**
 * Which of a service's policies holds for which of its clusters, as one caller sees it. A cluster is the instances with
 * certain labels; for a port of which a policy speaks apart it is those labels and that port.
 *
 * Labels must be equal, not a part: a policy for all versions is not one for each of them, unless it says so
 * (`any_labels`), and then only where none has just these labels. Of those that are left, one for just this port comes
 * before one for every port. Among equals the first stands.
 */
export class ServicePolicies {
  /** Those that are meant for this caller. */
  readonly #policies: readonly TrafficPolicy[];

  constructor(policies: readonly TrafficPolicy[], caller: Caller) {
    this.#policies = policies.filter((policy) => isForCaller(policy, caller));
  }

  /** Of the cluster of these labels and this port, 0 for that of all ports without a policy of their own. */
  of(labels: Labels, port: number): TrafficPolicy | undefined {
    const key = labelsKey(labels);
    const same = this.#policies.filter((policy) => labelsKey(policy.labels) === key);
    return (
      forPort(same, port) ??
      forPort(
        this.#policies.filter((policy) => policy.anyLabels),
        port,
      )
    );
  }

  /** Those that need a cluster of their own. */
  portsOf(labels: Labels): readonly number[] {
    const named = new Set(this.#policies.map(({ port }) => port).filter((port) => port !== 0));
    return [...named].filter((port) => this.of(labels, port)?.port === port);
  }
}

function isForCaller({ namespaces, source }: TrafficPolicy, caller: Caller): boolean {
  return (namespaces.length === 0 || namespaces.includes(caller.namespace)) && isSource(source, caller);
}

function forPort(policies: readonly TrafficPolicy[], port: number): TrafficPolicy | undefined {
  return (
    (port === 0 ? undefined : policies.find((policy) => policy.port === port)) ??
    policies.find((policy) => policy.port === 0)
  );
}

/** One text per set of labels, whatever their order. */
export function labelsKey(labels: Labels): string {
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`)
    .join(",");
}

export function hasLabels(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}
