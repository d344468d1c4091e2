import { type ListedInstance, type ListedService, type RegistryPage, tableKey } from "../../shared/wire/index.ts";
import type { RegisteredInstance, RegisteredService, Registry } from "./registry.ts";

export interface RegistryQuery {
  readonly namespace?: string;
  readonly service?: string;
  /** Where the page before ended. */
  readonly continue?: string;
  /** Instances a page at most; a service without instances counts as one. */
  readonly limit?: number;
}

/**
 * One page of what is registered. A page ends between two instances, not only between two services: one service may
 * have more of them than a message takes. The place to go on is named by what stood there last, not by a number, so
 * that instances which come and go meanwhile shift nothing.
 */
export function registryPage(registry: Registry, query: RegistryQuery, maxBytes: number): RegistryPage {
  const limit = query.limit ?? Number.POSITIVE_INFINITY;
  const items: ListedService[] = [];
  let instances: ListedInstance[] = [];
  let current = "";
  let bytes = 0;
  let count = 0;
  let place = "";
  for (const { service, item } of entriesAfter(registry, query)) {
    const isNew = items.length === 0 || service.key !== current;
    const listed = item === undefined ? undefined : listedInstance(item);
    const head = isNew ? listedService(service, []) : undefined;
    bytes += sizeOf(head) + sizeOf(listed);
    if (count > 0 && (bytes > maxBytes || count >= limit)) return { items, continue: place };
    if (head !== undefined) {
      instances = [];
      items.push({ ...head, instances });
      current = service.key;
    }
    if (listed !== undefined) instances.push(listed);
    count++;
    place = `${service.key} ${item === undefined ? "" : idOf(item)}`;
  }
  return { items };
}

/** Every instance after the place where the last page ended, and every service without any. */
function* entriesAfter(
  registry: Registry,
  query: RegistryQuery,
): Generator<{ readonly service: RegisteredService; readonly item: RegisteredInstance | undefined }> {
  const [afterKey, afterInstance] = placeOf(query.continue);
  for (const service of sortedServices(registry, query)) {
    if (service.key < afterKey) continue;
    const isContinued = service.key === afterKey;
    const all = registry.instances(service.key);
    if (all.length === 0 && !isContinued) yield { service, item: undefined };
    for (const item of all) {
      if (!isContinued || idOf(item) > afterInstance) yield { service, item };
    }
  }
}

function sortedServices(registry: Registry, { namespace, service }: RegistryQuery): readonly RegisteredService[] {
  if (namespace !== undefined && service !== undefined) {
    const found = registry.service(tableKey(namespace, service));
    return found === undefined ? [] : [found];
  }
  return [...registry.services()]
    .filter((each) => (namespace ?? each.namespace) === each.namespace && (service ?? each.name) === each.name)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function listedService(
  { namespace, name, ports }: RegisteredService,
  instances: readonly ListedInstance[],
): ListedService {
  return { namespace, name, ports: ports.map(({ number, protocol }) => ({ number, protocol })), instances };
}

function listedInstance({ endpoint, version, gateway }: RegisteredInstance): ListedInstance {
  return {
    instance: endpoint.instance ?? "",
    workload: endpoint.workload ?? "",
    principal: endpoint.principal ?? "",
    address: endpoint.address ?? "",
    ports: (endpoint.ports ?? []).map(({ number, protocol, addressPort }) => ({
      number: number ?? 0,
      protocol: protocol || "http",
      addressPort: addressPort ?? 0,
    })),
    labels: endpoint.labels ?? {},
    healthy: endpoint.healthy === true,
    plaintext: endpoint.plaintext === true,
    locality: endpoint.locality ?? "",
    weight: endpoint.weight || 1,
    version,
    gateway,
  };
}

/** Instances are ordered by this, as the registry orders them. */
function idOf({ endpoint }: RegisteredInstance): string {
  return `${tableKey(endpoint.instance ?? "")} ${endpoint.principal ?? ""}`;
}

function placeOf(text: string | undefined): readonly [key: string, instance: string] {
  if (text === undefined) return ["", ""];
  const space = text.indexOf(" ");
  return space < 0 ? [text, ""] : [text.slice(0, space), text.slice(space + 1)];
}

function sizeOf(value: object | undefined): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value)) + 1;
}
