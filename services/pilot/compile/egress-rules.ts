import type { EgressRuleSpec } from "../../../shared/model/index.ts";

/**
 * Which egress rules are in force. As in Istio 0.x they are judged over the whole mesh, in the order of their names: of two for
 * one destination the first stands, and so does the first to say what is spoken on a port. The others wait until it is gone.
 */
export interface EgressRuleEntry {
  readonly rule: string;
  readonly spec: EgressRuleSpec;
}

/** Why each rule that is not in force is not. */
export function egressConflicts(rules: Iterable<EgressRuleEntry>): Map<string, string> {
  const conflicts = new Map<string, string>();
  const services = new Map<string, string>();
  const ports = new Map<number, { readonly rule: string; readonly speaks: string }>();
  for (const { rule, spec } of [...rules].sort((a, b) => (a.rule < b.rule ? -1 : 1))) {
    const reason = conflictOf(spec, services, ports);
    if (reason !== undefined) {
      conflicts.set(rule, reason);
      continue;
    }
    services.set(spec.service, rule);
    for (const { port, protocol } of spec.ports) {
      if (!ports.has(port)) ports.set(port, { rule, speaks: protocolClass(protocol) });
    }
  }
  return conflicts;
}

/** Who claims what: rules for a destination, and what is said to be spoken on a port. */
export class EgressClaims {
  readonly #services = new Map<string, number>();
  /** By port and class of protocols. */
  readonly #ports = new Map<number, Map<string, number>>();

  add(spec: EgressRuleSpec): void {
    this.#count(spec, 1);
  }

  remove(spec: EgressRuleSpec): void {
    this.#count(spec, -1);
  }

  /** Whether a rule that has been added neither keeps another from being in force nor the other way round. */
  isAlone({ service, ports }: EgressRuleSpec): boolean {
    return this.#services.get(service) === 1 && ports.every(({ port }) => this.#ports.get(port)?.size === 1);
  }

  #count({ service, ports }: EgressRuleSpec, change: 1 | -1): void {
    count(this.#services, service, change);
    for (const { port, protocol } of ports) {
      const classes = this.#ports.get(port) ?? new Map<string, number>();
      count(classes, protocolClass(protocol), change);
      if (classes.size === 0) this.#ports.delete(port);
      else this.#ports.set(port, classes);
    }
  }
}

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const now = (counts.get(key) ?? 0) + change;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}

function conflictOf(
  spec: EgressRuleSpec,
  services: ReadonlyMap<string, string>,
  ports: ReadonlyMap<number, { readonly rule: string; readonly speaks: string }>,
): string | undefined {
  const same = services.get(spec.service);
  if (same !== undefined) return `${same} is for ${spec.service} too`;
  for (const { port, protocol } of spec.ports) {
    const first = ports.get(port);
    if (first !== undefined && first.speaks !== protocolClass(protocol)) {
      return `${first.rule} says that ${first.speaks} is spoken on port ${port}`;
    }
  }
  return undefined;
}

/** All that is HTTP inside is one class. */
function protocolClass(protocol: string): string {
  const name = protocol.toUpperCase();
  return name === "TCP" || name === "MONGO" ? name : "HTTP";
}
