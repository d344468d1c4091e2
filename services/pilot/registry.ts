import type { Clock } from "../../shared/base/index.ts";
import { type EndpointInput, type Registration, type RegistryAddress, tableKey } from "../../shared/wire/index.ts";
import { fingerprintOf, MAX_ENDPOINT_BYTES, toEndpoint } from "./registered-endpoint.ts";
import { type RegisteredPort, samePorts, unionOfPorts } from "./registered-ports.ts";

/**
 * Who is in the mesh, from heartbeats alone. Every replica hears them all and keeps the same list; only the leader
 * writes it down.
 *
 * A heartbeat is the whole registration, so one that was lost costs nothing, and a replica that starts late knows
 * everything after one period. What cannot be told from silence is whose fault the silence is. So a lease lapses
 * only when this replica has itself been connected, and its own event loop on time, for one whole lease; and when more
 * than a small part of the mesh would lapse in one go, nothing does: a broken network is likelier than that. A new
 * leader takes what the table holds, each with a fresh lease, and lets its own hearing correct it.
 *
 * A service without instances stays known for a while: its callers should see "no instance" and not "no such name".
 *
 * A workload says what it likes under its own name, so all that one can say is bounded: the size of a registration
 * (a full shard of them still has to fit into one message), and the places that one identity can take.
 */
export interface RegistryOptions {
  readonly clock: Clock;
  /** Milliseconds without a heartbeat after which an instance is gone. */
  readonly leaseMs: number;
  /** Milliseconds that a service without instances stays known. */
  readonly lingerMs: number;
  /** Of the SPIFFE ids; default `cluster.local`. */
  readonly trustDomain?: string;
  /** Instances known at most; default 100,000. */
  readonly maxInstances?: number;
  /** Of those, instances of one identity at most; default 10,000. */
  readonly maxInstancesPerIdentity?: number;
}

export interface RegisteredService {
  /** Key in table `service`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly RegisteredPort[];
  /** SPIFFE ids, sorted. */
  readonly principals: readonly string[];
  /** Sorted by instance name, then identity. */
  readonly endpoints: readonly EndpointInput[];
  /** Whether some of its instances are gateways. */
  readonly gateway: boolean;
}

/** What an instance says of itself beside what others connect to. */
export interface AboutInstance {
  /** Of its proxy; "" when no heartbeat has been heard yet. */
  readonly version: string;
  readonly gateway: boolean;
}

export interface RegisteredInstance extends AboutInstance {
  readonly endpoint: EndpointInput;
}

export interface RegistryChange {
  /** Key in table `service`. */
  readonly service: string;
  /** The service came, went, or changed its ports or identities. */
  readonly shape: boolean;
  /** The instances that came, went or changed. */
  readonly instances: readonly string[];
}

/** Part of the mesh that may lapse in one go; a single instance always may. */
const MAX_LAPSING_FRACTION = 0.15;
const TICK_MS = 1000;
/** A tick that is this late means that this process may have missed heartbeats. */
const LATE_MS = 2000;

interface Lease {
  readonly id: string;
  readonly service: Service;
  readonly instance: string;
  endpoint: EndpointInput;
  about: AboutInstance;
  fingerprint: string;
  renewedMs: number;
}

interface Service {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly leases: Map<string, Lease>;
  ports: readonly RegisteredPort[];
  principals: readonly string[];
  gateway: boolean;
  emptySinceMs: number;
  endpoints: readonly EndpointInput[] | undefined;
}

const UNHEARD: AboutInstance = { version: "", gateway: false };

export class Registry {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #lingerMs: number;
  readonly #trustDomain: string;
  readonly #maxInstances: number;
  readonly #maxInstancesPerIdentity: number;
  readonly #services = new Map<string, Service>();
  readonly #namespaces = new Map<string, Set<Service>>();
  readonly #leases = new Map<string, Lease>();
  /** SPIFFE id -> number of leases. */
  readonly #leasesOfIdentity = new Map<string, number>();
  /** Instances that said goodbye: a table written before that must not bring them back. */
  readonly #departed = new Map<string, number>();
  readonly #listeners = new Set<(change: RegistryChange) => void>();
  #connected = false;
  #reliableSinceMs: number;
  #lastTickMs: number;
  #holding = false;
  #stopTicking: (() => void) | undefined;

  constructor(options: RegistryOptions) {
    this.#clock = options.clock;
    this.#leaseMs = options.leaseMs;
    this.#lingerMs = options.lingerMs;
    this.#trustDomain = options.trustDomain ?? "cluster.local";
    this.#maxInstances = options.maxInstances ?? 100_000;
    this.#maxInstancesPerIdentity = options.maxInstancesPerIdentity ?? 10_000;
    this.#reliableSinceMs = options.clock.monotonic();
    this.#lastTickMs = this.#reliableSinceMs;
  }

  start(): void {
    this.#lastTickMs = this.#clock.monotonic();
    this.#stopTicking ??= this.#clock.every(TICK_MS, () => this.tick());
  }

  stop(): void {
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  get instanceCount(): number {
    return this.#leases.size;
  }

  get serviceCount(): number {
    return this.#services.size;
  }

  /** Whether expiry is held back because too many leases would lapse at once. */
  get holding(): boolean {
    return this.#holding;
  }

  onChange(listener: (change: RegistryChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells whether this replica can hear heartbeats now. Messages lost to a slow consumer count as not hearing. */
  setConnected(connected: boolean): void {
    if (connected && !this.#connected) this.#reliableSinceMs = this.#clock.monotonic();
    this.#connected = connected;
  }

  /** Heartbeats may have been lost: leases are counted from now on. */
  distrust(): void {
    this.#reliableSinceMs = this.#clock.monotonic();
  }

  /** A registration or heartbeat was heard. Returns false when it was refused. */
  heard(address: RegistryAddress, registration: Registration): boolean {
    const principal = this.principal(address.namespace, address.serviceAccount);
    const endpoint = toEndpoint(address.instance, principal, registration);
    if (endpoint === undefined) return false;
    this.#departed.delete(leaseId(address, principal));
    const { version, gateway } = registration;
    return this.#renew(address.namespace, address.service, endpoint, { version, gateway });
  }

  /** An instance said goodbye. */
  departed(address: RegistryAddress): void {
    const id = leaseId(address, this.principal(address.namespace, address.serviceAccount));
    this.#departed.delete(id);
    this.#departed.set(id, this.#clock.monotonic());
    for (const oldest of this.#departed.keys()) {
      if (this.#departed.size <= this.#maxInstances) break;
      this.#departed.delete(oldest);
    }
    const lease = this.#leases.get(id);
    if (lease !== undefined) this.#remove([lease]);
  }

  /** Takes over what the tables hold: unknown instances get a fresh lease, known ones keep theirs. */
  seedService(namespace: string, name: string, ports: readonly RegisteredPort[], principals: readonly string[]): void {
    const key = tableKey(namespace, name);
    if (this.#services.has(key)) return;
    const service = this.#create(key, namespace, name);
    service.ports = ports.map(({ number, protocol }) => ({ number, protocol }));
    service.principals = [...principals];
    this.#emit({ service: key, shape: true, instances: [] });
  }

  /** The service was known as one of gateways; it stays one until its instances say otherwise. */
  seedGateway(namespace: string, name: string): void {
    const service = this.#services.get(tableKey(namespace, name));
    if (service === undefined || service.gateway) return;
    if ([...service.leases.values()].some(({ about }) => about !== UNHEARD)) return;
    service.gateway = true;
    this.#emit({ service: service.key, shape: true, instances: [] });
  }

  /** The endpoint is as it was written by an earlier leader. */
  seedEndpoint(namespace: string, name: string, endpoint: EndpointInput): void {
    const id = leaseId({ namespace, service: name, instance: endpoint.instance ?? "" }, endpoint.principal ?? "");
    if (this.#leases.has(id) || this.#departed.has(id)) return;
    this.#renew(namespace, name, endpoint);
  }

  service(key: string): RegisteredService | undefined {
    const service = this.#services.get(key);
    return service === undefined ? undefined : this.#view(service);
  }

  *services(): Generator<RegisteredService> {
    for (const service of this.#services.values()) yield this.#view(service);
  }

  /** Those that have services, in no order. */
  namespaces(): Iterable<string> {
    return this.#namespaces.keys();
  }

  *servicesOf(namespace: string): Generator<RegisteredService> {
    for (const service of this.#namespaces.get(namespace) ?? []) yield this.#view(service);
  }

  /** In the order of `endpoints`. */
  instances(key: string): readonly RegisteredInstance[] {
    const leases = [...(this.#services.get(key)?.leases.values() ?? [])];
    return leases.sort(byId).map(({ endpoint, about }) => ({ endpoint, ...about }));
  }

  /** Of all services. */
  keys(): Iterable<string> {
    return this.#services.keys();
  }

  has(key: string): boolean {
    return this.#services.has(key);
  }

  /** Whether some instance of the service carries all of these labels. */
  carries(key: string, labels: Readonly<Record<string, string>>): boolean {
    const service = this.#services.get(key);
    if (service === undefined) return false;
    const wanted = Object.entries(labels);
    if (wanted.length === 0) return true;
    for (const { endpoint } of service.leases.values()) {
      if (wanted.every(([name, value]) => endpoint.labels?.[name] === value)) return true;
    }
    return false;
  }

  principal(namespace: string, serviceAccount: string): string {
    return `spiffe://${this.#trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  }

  /** Lets leases lapse and forgets services that have been empty for long. Called every second. */
  tick(): void {
    const now = this.#clock.monotonic();
    if (now - this.#lastTickMs > TICK_MS + LATE_MS) this.#reliableSinceMs = now;
    this.#lastTickMs = now;
    for (const [id, atMs] of this.#departed) {
      if (now - atMs >= this.#leaseMs) this.#departed.delete(id);
    }
    if (!this.#connected || now - this.#reliableSinceMs < this.#leaseMs) return;
    const lapsed = [...this.#leases.values()].filter((lease) => now - lease.renewedMs >= this.#leaseMs);
    this.#holding = lapsed.length > Math.max(1, this.#leases.size * MAX_LAPSING_FRACTION);
    if (!this.#holding) this.#remove(lapsed);
    for (const service of this.#services.values()) {
      if (service.leases.size > 0 || now - service.emptySinceMs < this.#lingerMs) continue;
      this.#forget(service);
      this.#emit({ service: service.key, shape: true, instances: [] });
    }
  }

  #renew(namespace: string, name: string, endpoint: EndpointInput, about?: AboutInstance): boolean {
    const instance = endpoint.instance ?? "";
    const id = leaseId({ namespace, service: name, instance }, endpoint.principal ?? "");
    const now = this.#clock.monotonic();
    const fingerprint = fingerprintOf(endpoint);
    if (Buffer.byteLength(fingerprint) + instance.length > MAX_ENDPOINT_BYTES) return false;
    const known = this.#leases.get(id);
    if (known !== undefined) {
      known.renewedMs = now;
      const before = known.about;
      known.about = about ?? before;
      if (known.fingerprint === fingerprint) {
        if (before === UNHEARD || before.gateway !== known.about.gateway) this.#reconsiderGateway(known.service);
        return true;
      }
      known.endpoint = endpoint;
      known.fingerprint = fingerprint;
      this.#changed(known.service, [instance], false);
      return true;
    }
    const principal = endpoint.principal ?? "";
    const taken = this.#leasesOfIdentity.get(principal) ?? 0;
    if (this.#leases.size >= this.#maxInstances || taken >= this.#maxInstancesPerIdentity) return false;
    const key = tableKey(namespace, name);
    const existing = this.#services.get(key);
    const service = existing ?? this.#create(key, namespace, name);
    const lease: Lease = { id, service, instance, endpoint, about: about ?? UNHEARD, fingerprint, renewedMs: now };
    service.leases.set(id, lease);
    this.#leases.set(id, lease);
    this.#leasesOfIdentity.set(principal, taken + 1);
    this.#changed(service, [instance], existing === undefined);
    return true;
  }

  #create(key: string, namespace: string, name: string): Service {
    const emptySinceMs = this.#clock.monotonic();
    const service: Service = {
      key,
      namespace,
      name,
      leases: new Map(),
      ports: [],
      principals: [],
      gateway: false,
      emptySinceMs,
      endpoints: undefined,
    };
    this.#services.set(key, service);
    const siblings = this.#namespaces.get(namespace) ?? new Set();
    this.#namespaces.set(namespace, siblings.add(service));
    return service;
  }

  #forget(service: Service): void {
    this.#services.delete(service.key);
    const siblings = this.#namespaces.get(service.namespace);
    siblings?.delete(service);
    if (siblings?.size === 0) this.#namespaces.delete(service.namespace);
  }

  /** The service became one of gateways, or ceased to be one, by what an instance says beside its endpoint. */
  #reconsiderGateway(service: Service): void {
    if (isGateway(service) !== service.gateway) this.#changed(service, [], true);
  }

  #remove(leases: readonly Lease[]): void {
    const gone = new Map<Service, string[]>();
    for (const lease of leases) {
      this.#leases.delete(lease.id);
      const principal = lease.endpoint.principal ?? "";
      const left = (this.#leasesOfIdentity.get(principal) ?? 1) - 1;
      if (left > 0) this.#leasesOfIdentity.set(principal, left);
      else this.#leasesOfIdentity.delete(principal);
      lease.service.leases.delete(lease.id);
      const names = gone.get(lease.service) ?? [];
      names.push(lease.instance);
      gone.set(lease.service, names);
    }
    for (const [service, instances] of gone) {
      if (service.leases.size === 0) service.emptySinceMs = this.#clock.monotonic();
      this.#changed(service, instances, false);
    }
  }

  #changed(service: Service, instances: readonly string[], isNew: boolean): void {
    service.endpoints = undefined;
    let shape = isNew;
    // An empty service keeps the ports and identities that it had last, and stays one of gateways.
    if (service.leases.size > 0) {
      const ports = unionOfPorts([...service.leases.values()].map(({ endpoint }) => endpoint));
      const principals = [
        ...new Set([...service.leases.values()].map(({ endpoint }) => endpoint.principal ?? "")),
      ].sort();
      const gateway = isGateway(service);
      shape ||= !samePorts(ports, service.ports) || principals.join("\n") !== service.principals.join("\n");
      shape ||= gateway !== service.gateway;
      service.ports = ports;
      service.principals = principals;
      service.gateway = gateway;
    }
    this.#emit({ service: service.key, shape, instances });
  }

  #view(service: Service): RegisteredService {
    service.endpoints ??= [...service.leases.values()].sort(byId).map((lease) => lease.endpoint);
    const { key, namespace, name, ports, principals, endpoints, gateway } = service;
    return { key, namespace, name, ports, principals, endpoints, gateway };
  }

  #emit(change: RegistryChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** As its instances say; as it was while none of them has been heard. */
function isGateway(service: Service): boolean {
  const heard = [...service.leases.values()].filter(({ about }) => about !== UNHEARD);
  return heard.length === 0 ? service.gateway : heard.some(({ about }) => about.gateway);
}

function byId(a: Lease, b: Lease): number {
  return a.id < b.id ? -1 : 1;
}

function leaseId(
  { namespace, service, instance }: { namespace: string; service: string; instance: string },
  principal: string,
): string {
  return `${tableKey(namespace, service, instance)} ${principal}`;
}
