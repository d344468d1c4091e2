/** The JSON of `registry.list`: what a Pilot has heard from proxies. */
export interface ListedService {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly { readonly number: number; readonly protocol: string }[];
  readonly instances: readonly ListedInstance[];
}

export interface ListedInstance {
  readonly instance: string;
  readonly workload: string;
  /** SPIFFE id. */
  readonly principal: string;
  readonly address: string;
  readonly ports: readonly { readonly number: number; readonly protocol: string; readonly addressPort: number }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly healthy: boolean;
  readonly plaintext: boolean;
  readonly locality: string;
  readonly weight: number;
  /** Of its proxy; "" until a heartbeat has been heard. */
  readonly version: string;
  readonly gateway: boolean;
}

/** A page: a service of very many instances goes on in the next one, under the same name. */
export interface RegistryPage {
  readonly items: readonly ListedService[];
  readonly continue?: string;
}

/** The JSON of `config.pending`: a resource that is accepted and not in force yet. */
export interface PendingResource {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly reason: string;
}

/** The pages as one list, every service once. */
export function joinPages(pages: readonly RegistryPage[]): readonly ListedService[] {
  const services = new Map<string, ListedService>();
  for (const { items } of pages) {
    for (const item of items) {
      const id = JSON.stringify([item.namespace, item.name]);
      const known = services.get(id);
      services.set(id, known === undefined ? item : { ...known, instances: [...known.instances, ...item.instances] });
    }
  }
  return [...services.values()];
}
