import type { Labels } from "../model/index.ts";
import type { KnownInstance, KnownService, World } from "./world.ts";

export interface KnownWorkload {
  readonly namespace: string;
  readonly service: string;
  readonly instance: KnownInstance;
}

/** All instances by their labels: selectors are many, so each looks only where its rarest label is. */
export class WorkloadBook {
  /** Whether any says that it is one. */
  readonly hasGateways: boolean;
  readonly #all: readonly KnownWorkload[];
  readonly #byLabel = new Map<string, KnownWorkload[]>();

  constructor(world: World) {
    this.#all = (world.services ?? []).flatMap(({ namespace, name, instances }) =>
      instances.map((instance) => ({ namespace, service: name, instance })),
    );
    this.hasGateways = this.#all.some(({ instance }) => instance.gateway === true);
    for (const workload of this.#all) {
      for (const [name, value] of Object.entries(workload.instance.labels)) {
        const label = `${name}=${value}`;
        const list = this.#byLabel.get(label);
        if (list === undefined) this.#byLabel.set(label, [workload]);
        else list.push(workload);
      }
    }
  }

  get size(): number {
    return this.#all.length;
  }

  /** Those that carry all of the labels; all of them when there are none. */
  *selected(labels: Labels): Generator<KnownWorkload> {
    const wanted = Object.entries(labels);
    let candidates = this.#all;
    for (const [name, value] of wanted) {
      const list = this.#byLabel.get(`${name}=${value}`) ?? [];
      if (list.length < candidates.length) candidates = list;
    }
    for (const workload of candidates) {
      if (wanted.every(([name, value]) => workload.instance.labels[name] === value)) yield workload;
    }
  }

  /** Whether one does, in a namespace (`""`: any), of a service (undefined: any). */
  some(labels: Labels, namespace = "", service?: { readonly namespace: string; readonly service: string }): boolean {
    for (const each of this.selected(labels)) {
      if (namespace !== "" && each.namespace !== namespace) continue;
      if (service === undefined || (each.namespace === service.namespace && each.service === service.service))
        return true;
    }
    return false;
  }
}

/** Whether some instance of a service carries all of the labels. */
export function carries(service: KnownService, labels: Labels): boolean {
  const wanted = Object.entries(labels);
  return service.instances.some((instance) => wanted.every(([name, value]) => instance.labels[name] === value));
}

/** `a=1,b=2` */
export function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}
