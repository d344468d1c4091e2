import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CircuitBreaker, DEFAULT_LIMITS } from "../../services/proxy/cluster/circuit-breaker.ts";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { type ClusterPolicy, DEFAULT_POLICY } from "../../services/proxy/cluster/cluster-policy.ts";
import { type ConnectEvents, ConnectionPool, type PoolWaiter } from "../../services/proxy/cluster/connection-pool.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import type { Http1ClientConnection } from "../../services/proxy/codec/http1-client.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { ResetReason, UpstreamEvents } from "../../services/proxy/stream/stream.ts";
import { FakeClock } from "../harness/index.ts";

const connector = new Connector({
  connectTimeoutMs: 1_000,
  self: UNKNOWN_PEER,
  identity: () => undefined,
  verify: () => ({ error: "not used" }),
});
const LIMITS = { ...DEFAULT_LIMITS, maxConnections: 2, maxPending: 3, idleTimeoutMs: 1_000 };

interface HostTraits {
  readonly ports?: readonly number[];
  readonly healthy?: boolean;
  readonly locality?: string;
}

function host(instance: string, { ports = [80], healthy = true, locality = "" }: HostTraits = {}): Host {
  const byPort = new Map(ports.map((port) => [port, { address: "127.0.0.1", port, plaintext: true }]));
  const made = new Host({ peer: { ...UNKNOWN_PEER, instance }, ports: byPort, connector, locality });
  made.healthy = healthy;
  return made;
}

function policy(changes: Partial<ClusterPolicy>): ClusterPolicy {
  return { ...DEFAULT_POLICY, ...changes };
}

/** How often each host is chosen, by name. */
function shares(cluster: Cluster, choices = 1_000): Record<string, number> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < choices; i++) {
    const key = cluster.choose(80, undefined)?.key ?? "none";
    seen[key] = (seen[key] ?? 0) + 1;
  }
  return seen;
}

const [a, b, c] = [host("a"), host("b"), host("c")];

describe("a cluster", () => {
  test("chooses healthy hosts only, and prefers those not tried yet", () => {
    const cluster = new Cluster("test");
    assert.equal(cluster.choose(80, undefined), undefined);
    cluster.update([a, b, host("ill", { healthy: false })]);
    for (let i = 0; i < 4; i++) assert.equal(cluster.choose(80, new Set([a])), b);
    assert.ok([a, b].includes(cluster.choose(80, new Set([a, b])) as Host));
  });

  test("keeps its turn when hosts change, and begins anew with another policy", () => {
    const cluster = new Cluster("test");
    cluster.update([a, b]);
    const first = cluster.choose(80, undefined);
    cluster.update([a, b]);
    assert.notEqual(cluster.choose(80, undefined), first);
    cluster.update([a, b], policy({ loadBalancing: "RANDOM" }));
    assert.equal(cluster.policy.loadBalancing, "RANDOM");
  });

  test("finds the hosts that serve a port when not all do", () => {
    const cluster = new Cluster("test");
    const other = host("other", { ports: [81] });
    cluster.update([a, b, other]);
    for (let i = 0; i < 5; i++) assert.equal(cluster.choose(81, undefined), other);
    assert.equal(cluster.choose(81, new Set([other])), other);
    assert.equal(cluster.choose(82, undefined), undefined);
    for (let i = 0; i < 5; i++) assert.notEqual(cluster.choose(80, undefined), other);
  });

  test("keeps requests with one hash together, and sends a retry elsewhere, always the same way", () => {
    const cluster = new Cluster("test");
    const hosts = [a, b, c, host("d"), host("e")];
    cluster.update(hosts, policy({ loadBalancing: "MAGLEV" }));
    const first = cluster.choose(80, undefined, 12_345) as Host;
    for (let i = 0; i < 10; i++) assert.equal(cluster.choose(80, undefined, 12_345), first);
    const second = cluster.choose(80, new Set([first]), 12_345);
    assert.notEqual(second, first);
    for (let i = 0; i < 10; i++) assert.equal(cluster.choose(80, new Set([first]), 12_345), second);
  });
});

describe("the panic threshold", () => {
  const ill = [host("x", { healthy: false }), host("y", { healthy: false })];

  test("is half: below it all hosts are used, at it only the healthy ones", () => {
    const cluster = new Cluster("test");
    cluster.update([a, b, ...ill]);
    assert.deepEqual(Object.keys(shares(cluster)).sort(), ["a", "b"]);
    cluster.update([a, ...ill]);
    assert.deepEqual(Object.keys(shares(cluster)).sort(), ["a", "x", "y"]);
    cluster.update(ill);
    assert.deepEqual(Object.keys(shares(cluster)).sort(), ["x", "y"]);
  });

  test("may be another, or none", () => {
    const cluster = new Cluster("test");
    cluster.update([a, ...ill], policy({ panicPercent: 30 }));
    assert.deepEqual(Object.keys(shares(cluster)), ["a"]);
    cluster.update(ill, policy({ panicPercent: -1 }));
    assert.equal(cluster.choose(80, undefined), undefined);
  });

  test("follows a host's health as soon as it is told of it", () => {
    const cluster = new Cluster("test");
    const [x, y] = [host("x"), host("y")];
    cluster.update([x, y]);
    x.ejected = true;
    cluster.refresh();
    assert.deepEqual(Object.keys(shares(cluster)), ["y"]);
    x.ejected = false;
    cluster.refresh();
    assert.equal(Object.keys(shares(cluster)).length, 2);
  });
});

describe("slow start", () => {
  const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 };

  test("brings a new host to its share in the course of the window", () => {
    const clock = new FakeClock();
    const cluster = new Cluster("test", { clock });
    const [old, young] = [host("old"), host("young")];
    cluster.update([old], policy({ slowStart }));
    clock.advance(20_000);
    cluster.update([old, young], policy({ slowStart }));
    const expected = [
      [0, 0.1],
      [5_000, 0.5],
      [4_000, 0.9],
      [2_000, 1],
    ] as const;
    for (const [laterMs, part] of expected) {
      clock.advance(laterMs);
      cluster.sweep(clock.now());
      const wanted = (1_100 * part) / (1 + part);
      const { young: got = 0 } = shares(cluster, 1_100);
      assert.ok(Math.abs(got - wanted) <= 2, `${got}, not ${wanted}, at ${part} of its weight`);
    }
  });

  test("begins again when a host comes back, and rises faster with more aggression", () => {
    const clock = new FakeClock();
    const cluster = new Cluster("test", { clock });
    const [old, back] = [host("old"), host("back")];
    cluster.update([old, back], policy({ slowStart: { ...slowStart, aggression: 2 } }));
    clock.advance(20_000);
    back.ejected = true;
    cluster.refresh();
    back.ejected = false;
    cluster.refresh();
    assert.equal(back.warmth, 0.1);
    assert.equal(old.warmth, 1);
    clock.advance(2_500);
    cluster.sweep(clock.now());
    assert.equal(back.warmth, 0.5);
  });
});

describe("localities", () => {
  const at = (locality: string, ...names: string[]): Host[] => names.map((name) => host(name, { locality }));
  const byLocality = (cluster: Cluster): Record<string, number> => {
    const seen: Record<string, number> = {};
    for (let i = 0; i < 1_000; i++) {
      const locality = cluster.choose(80, undefined)?.locality ?? "none";
      seen[locality] = (seen[locality] ?? 0) + 1;
    }
    return seen;
  };
  const ail = (cluster: Cluster, ...hosts: (Host | undefined)[]): void => {
    for (const each of cluster.hosts) each.healthy = !hosts.includes(each);
    cluster.refresh();
  };

  test("fail over to the next nearest as far as the near ones cannot take it", () => {
    const cluster = new Cluster("test", { locality: "eu/west/1" });
    const near = at("eu/west/1", "n1", "n2", "n3", "n4");
    const hosts = [...near, ...at("eu/west/2", "z1", "z2"), ...at("eu/east/1", "r1"), ...at("us/east/1", "f1")];
    cluster.update(hosts, policy({ locality: { failover: true, distribute: [] } }));
    assert.deepEqual(byLocality(cluster), { "eu/west/1": 1_000 });
    ail(cluster, near[0]);
    assert.deepEqual(byLocality(cluster), { "eu/west/1": 1_000 }, "three of four are enough: 75 % * 1.4");
    ail(cluster, near[0], near[1]);
    assert.deepEqual(byLocality(cluster), { "eu/west/1": 700, "eu/west/2": 300 });
    ail(cluster, ...near);
    assert.deepEqual(byLocality(cluster), { "eu/west/2": 1_000 });
    ail(cluster, ...near, hosts[4]);
    assert.deepEqual(byLocality(cluster), { "eu/west/2": 700, "eu/east/1": 300 }, "no panic: others can take it");
  });

  test("distribute by shares, of which one that cannot take its own gives to the others", () => {
    const cluster = new Cluster("test", { locality: "eu/west/1" });
    const [west, east] = [at("eu/west/1", "w1", "w2"), at("eu/east/1", "e1", "e2")];
    const to = [
      { locality: "eu/west/*", weight: 80 },
      { locality: "eu/east/1", weight: 20 },
    ];
    const distribute = [
      { from: "us/*", to: [{ locality: "*", weight: 100 }] },
      { from: "eu/west/*", to },
    ];
    cluster.update([...west, ...east, ...at("us/1", "u1")], policy({ locality: { failover: false, distribute } }));
    assert.deepEqual(byLocality(cluster), { "eu/west/1": 800, "eu/east/1": 200 });
    ail(cluster, ...east);
    assert.deepEqual(byLocality(cluster), { "eu/west/1": 1_000 });
    ail(cluster, west[0]);
    const seen = byLocality(cluster);
    assert.ok(Math.abs((seen["eu/west/1"] ?? 0) - (1_000 * 0.56) / 0.76) <= 1, JSON.stringify(seen));
  });

  test("do not count for a caller that they say nothing of, nor in a panic", () => {
    const hosts = [...at("eu/west/1", "w1"), ...at("us/1", "u1")];
    const elsewhere = new Cluster("test", { locality: "" });
    elsewhere.update(hosts, policy({ locality: { failover: true, distribute: [] } }));
    assert.deepEqual(byLocality(elsewhere), { "eu/west/1": 500, "us/1": 500 });
    const cluster = new Cluster("test", { locality: "eu/west/1" });
    cluster.update(hosts, policy({ locality: { failover: true, distribute: [] } }));
    ail(cluster, ...hosts);
    assert.deepEqual(byLocality(cluster), { "eu/west/1": 500, "us/1": 500 });
  });

  test("keep requests with one hash together", () => {
    const cluster = new Cluster("test", { locality: "eu/1" });
    const hosts = [...at("eu/1", "e1", "e2"), ...at("us/1", "u1", "u2")];
    const to = [
      { locality: "eu/*", weight: 50 },
      { locality: "us/*", weight: 50 },
    ];
    const locality = { failover: false, distribute: [{ from: "*", to }] };
    cluster.update(hosts, policy({ loadBalancing: "RING_HASH", locality }));
    const places = new Set<string | undefined>();
    for (let hash = 0; hash < 2 ** 32; hash += 2 ** 26) {
      const [first, again] = [cluster.choose(80, undefined, hash), cluster.choose(80, undefined, hash)];
      assert.equal(first, again);
      places.add(first?.locality);
    }
    assert.equal(places.size, 2);
  });
});

describe("a circuit breaker", () => {
  test("lets retries up to a part of the active requests, but some always", () => {
    const breaker = new CircuitBreaker();
    breaker.retries = 2;
    assert.equal(breaker.mayRetry(), true);
    breaker.retries = 3;
    assert.equal(breaker.mayRetry(), false);
    assert.equal(breaker.overflows, 1);
    breaker.requests = 100;
    breaker.retries = 19;
    assert.equal(breaker.mayRetry(), true);
    breaker.retries = 20;
    assert.equal(breaker.mayRetry(), false);
  });

  test("lets so many retries where they are counted", () => {
    const breaker = new CircuitBreaker({ ...DEFAULT_LIMITS, maxRetries: 1 });
    breaker.requests = 1_000;
    assert.equal(breaker.mayRetry(), true);
    breaker.retries = 1;
    assert.equal(breaker.mayRetry(), false);
  });
});

/** A socket that swallows what is written and says what it is told to. */
class FakeSocket extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
  setNoDelay(): this {
    return this;
  }
  get socket(): Socket {
    return this as unknown as Socket;
  }
}

class Waiter implements PoolWaiter {
  connection: Http1ClientConnection | undefined;
  failure: string | undefined;
  onConnection(connection: Http1ClientConnection): void {
    this.connection = connection;
    connection.open(SILENT);
  }
  onFailure(reason: ResetReason): void {
    this.failure = reason;
  }
}

const SILENT: UpstreamEvents = {
  onInterim() {},
  onHead() {},
  onData() {},
  onFlush() {},
  onDrain() {},
  onReset() {},
  holds: () => false,
};
const GET = { method: "GET", authority: "a", scheme: "http", path: "/", headers: new HeaderList() } as const;

function pool(limits = LIMITS) {
  const opened: ConnectEvents[] = [];
  const breaker = new CircuitBreaker(limits);
  const connections = new ConnectionPool((events) => opened.push(events), breaker);
  const acquire = (fresh = false): Waiter => {
    const waiter = new Waiter();
    connections.acquire(waiter, fresh);
    return waiter;
  };
  const connect = (index: number, expiresMs = Number.POSITIVE_INFINITY): FakeSocket => {
    const socket = new FakeSocket();
    opened[index]?.onConnected(socket.socket, expiresMs);
    return socket;
  };
  return { connections, breaker, opened, acquire, connect };
}

describe("a connection pool", () => {
  test("opens a connection for each that waits, up to its bound, and serves the longest wait first", () => {
    const { opened, acquire, connect, connections } = pool();
    const [first, second, third] = [acquire(), acquire(), acquire()];
    assert.equal(opened.length, 2);
    assert.equal(connections.size, 2);
    connect(1);
    assert.ok(first.connection !== undefined);
    assert.equal(second.connection, undefined);
    connect(0);
    assert.ok(second.connection !== undefined && second.connection !== first.connection);
    assert.equal(third.connection, undefined);
  });

  test("refuses those beyond the bound of waiters at once", () => {
    const { acquire } = pool();
    for (let i = 0; i < 3; i++) assert.equal(acquire().failure, undefined);
    assert.equal(acquire().failure, "overflow");
  });

  test("uses the connection again that was used last, and none that is busy", async () => {
    const { acquire, connect, opened } = pool();
    const first = new Reusable();
    const socket = reuse(first, connect, acquire);
    await first.answer(socket);
    const again = acquire();
    assert.equal(again.connection, first.connection);
    assert.equal(opened.length, 1);
    const other = acquire();
    assert.equal(other.connection, undefined);
    assert.equal(opened.length, 2);
  });

  test("opens a fresh one for whom an idle one will not do", async () => {
    const { acquire, connect, opened } = pool();
    const first = new Reusable();
    await first.answer(reuse(first, connect, acquire));
    const fresh = acquire(true);
    assert.equal(fresh.connection, undefined);
    connect(1);
    assert.notEqual(fresh.connection, first.connection);
    assert.equal(opened.length, 2);
  });

  test("gives a failure to one that waits, and tries again for the others", () => {
    const { acquire, opened, connect } = pool({ ...LIMITS, maxConnections: 1 });
    const [first, second] = [acquire(), acquire()];
    assert.equal(opened.length, 1);
    opened[0]?.onFailed("connect-failure", "refused");
    assert.equal(first.failure, "connect-failure");
    assert.equal(second.failure, undefined);
    assert.equal(opened.length, 2, "whoever still waits needs a connection");
    connect(1);
    assert.ok(second.connection !== undefined);
  });

  test("forgets who no longer waits", () => {
    const { connections, acquire, connect } = pool();
    const [first, second] = [acquire(), acquire()];
    connections.cancel(first);
    connect(0);
    assert.equal(first.connection, undefined);
    assert.ok(second.connection !== undefined);
  });

  test("opens another when a connection closes that somebody waits for", async () => {
    const { acquire, connect, opened } = pool({ ...LIMITS, maxConnections: 1 });
    acquire();
    const waiting = acquire();
    const socket = connect(0);
    assert.equal(opened.length, 1);
    socket.destroy();
    await nextTurn();
    assert.equal(opened.length, 2);
    connect(1);
    assert.ok(waiting.connection !== undefined);
  });

  test("closes idle connections that are too old or whose identities lapse", async () => {
    const { connections, acquire, connect } = pool();
    const soon = Date.now() + 60_000;
    const [lapsing, lasting] = [new Reusable(), new Reusable()];
    const sockets = [lapsing, lasting].map((waiter, i) =>
      reuse(waiter, (index) => connect(index, i === 0 ? soon : undefined), acquire, i),
    );
    await lapsing.answer(sockets[0] as FakeSocket);
    await lasting.answer(sockets[1] as FakeSocket);
    connections.sweep(Date.now());
    assert.equal(connections.size, 2);
    connections.sweep(soon);
    await nextTurn();
    assert.equal(sockets[0]?.destroyed, true);
    assert.equal(sockets[1]?.destroyed, true, "idle for longer than a second");
    assert.equal(connections.size, 0);
  });

  test("gives nobody a connection whose identities have lapsed", async () => {
    const { acquire, connect, opened } = pool();
    const waiter = acquire();
    const socket = connect(0, Date.now() - 1);
    await nextTurn();
    assert.equal(waiter.connection, undefined);
    assert.equal(socket.destroyed, true);
    assert.equal(opened.length, 2);
  });

  test("ends idle connections when closed, and busy ones after their answer", async () => {
    const { connections, acquire, connect } = pool();
    const [idle, busy] = [new Reusable(), new Reusable()];
    const sockets = [idle, busy].map((waiter, i) => reuse(waiter, connect, acquire, i));
    await idle.answer(sockets[0] as FakeSocket);
    connections.close();
    await nextTurn();
    assert.equal(sockets[0]?.destroyed, true);
    assert.equal(sockets[1]?.destroyed, false);
    await busy.answer(sockets[1] as FakeSocket);
    assert.equal(sockets[1]?.destroyed, true);
  });

  test("counts connections and waiters for the whole cluster, and takes them away again", async () => {
    const { breaker, acquire, connect, connections, opened } = pool();
    const [first, second, third] = [acquire(), acquire(), acquire()];
    assert.deepEqual([breaker.connections, breaker.pending], [2, 3]);
    const socket = connect(0);
    assert.ok(first.connection !== undefined);
    assert.deepEqual([breaker.connections, breaker.pending], [2, 2]);
    connections.cancel(second);
    connections.cancel(second);
    opened[1]?.onFailed("connect-failure", "refused");
    assert.equal(third.failure, "connect-failure");
    assert.deepEqual([breaker.connections, breaker.pending], [1, 0]);
    socket.destroy();
    await nextTurn();
    assert.equal(breaker.connections, 0);
  });

  test("opens its first connection even where the cluster has no more to give", () => {
    const breaker = new CircuitBreaker({ ...LIMITS, maxConnections: 1 });
    const opened: string[] = [];
    const [one, other] = ["one", "other"].map((name) => new ConnectionPool(() => opened.push(name), breaker));
    for (const each of [one, one, other, other]) each?.acquire(new Waiter(), false);
    assert.deepEqual(opened, ["one", "other"]);
  });

  test("ends a connection after the requests that it may serve", async () => {
    const { acquire, connect, opened } = pool({ ...LIMITS, maxRequestsPerConnection: 1 });
    const first = new Reusable();
    const socket = reuse(first, connect, acquire);
    await first.answer(socket);
    assert.equal(socket.destroyed, true);
    acquire();
    assert.equal(opened.length, 2);
  });

  test("gives an idle connection to whom a fresh one would do better but cannot be had", async () => {
    const { acquire, connect, opened } = pool({ ...LIMITS, maxConnections: 1 });
    const first = new Reusable();
    await first.answer(reuse(first, connect, acquire));
    assert.equal(acquire(true).connection, first.connection);
    assert.equal(opened.length, 1);
  });

  test("lets a connection that speaks unasked go", async () => {
    const { connections, acquire, connect } = pool();
    const waiter = new Reusable();
    const socket = reuse(waiter, connect, acquire);
    await waiter.answer(socket);
    socket.push("HTTP/1.1 200 OK\r\n\r\n");
    await nextTurn();
    assert.equal(socket.destroyed, true);
    assert.equal(connections.size, 0);
  });
});

/** Remembers the connection of a waiter whose request is complete. */
class Reusable {
  connection: Http1ClientConnection | undefined;
  async answer(socket: FakeSocket): Promise<void> {
    socket.push("HTTP/1.1 204 No Content\r\n\r\n");
    await nextTurn();
    await nextTurn();
  }
}

function reuse(waiter: Reusable, connect: (index: number) => FakeSocket, acquire: () => Waiter, index = 0): FakeSocket {
  const pending = acquire();
  pending.onConnection = (connection) => {
    waiter.connection = connection;
    connection.open(SILENT).sendHead(GET, true);
  };
  return connect(index);
}
