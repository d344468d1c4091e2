import type { ServiceConfig } from "../../../shared/wire/index.ts";
import type { RouteTable } from "../route/route-table.ts";
import type { ServiceRoute } from "../route/service-route.ts";
import { type Peer, UNKNOWN_PEER } from "../stream/record.ts";

/** What this proxy knows of one service, at one moment: replaced as a whole, never changed. */
export interface ServiceSnapshot {
  readonly namespace: string;
  readonly name: string;
  readonly host: string;
  /** Service port -> protocol. */
  readonly ports: ReadonlyMap<number, string>;
  readonly routes: RouteTable<ServiceRoute>;
  /** SPIFFE ids that may serve it. */
  readonly serviceAccounts: ReadonlySet<string>;
  readonly config: ServiceConfig;
  /** By port, 0 for none: the service as a destination while no instance has been chosen. */
  readonly peers: ReadonlyMap<number, Peer>;
}

export function createSnapshot(config: ServiceConfig, routes: RouteTable<ServiceRoute>): ServiceSnapshot {
  const { namespace, name, host } = config;
  const peer = { ...UNKNOWN_PEER, namespace, service: name, host };
  const numbers = [0, ...config.ports.map(({ number }) => number)];
  return {
    namespace,
    name,
    host,
    ports: new Map(config.ports.map(({ number, protocol }) => [number, protocol])),
    routes,
    serviceAccounts: new Set(config.serviceAccounts),
    config,
    peers: new Map(numbers.map((port) => [port, { ...peer, port }])),
  };
}

/** The port of a request that names none: 80, or the only one. */
export function portOf(snapshot: ServiceSnapshot, named: number | undefined): number | undefined {
  if (named !== undefined) return snapshot.ports.has(named) ? named : undefined;
  if (snapshot.ports.has(80)) return 80;
  const [only, ...more] = snapshot.ports.keys();
  return more.length === 0 ? only : undefined;
}
