import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  createBalancer,
  LeastRequestBalancer,
  RandomBalancer,
  RoundRobinBalancer,
} from "../../services/proxy/cluster/balancer.ts";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { type ConnectEvents, ConnectionPool, type PoolWaiter } from "../../services/proxy/cluster/connection-pool.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import type { Http1ClientConnection } from "../../services/proxy/codec/http1-client.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { ResetReason, UpstreamEvents } from "../../services/proxy/stream/stream.ts";

const connector = new Connector({
  connectTimeoutMs: 1_000,
  self: UNKNOWN_PEER,
  identity: () => undefined,
  verify: () => ({ error: "not used" }),
});
const POOL = { maxConnections: 2, maxPending: 3, idleTimeoutMs: 1_000 };

function host(instance: string, ports: readonly number[] = [80], healthy = true): Host {
  const byPort = new Map(ports.map((port) => [port, { address: "127.0.0.1", port, plaintext: true }]));
  return new Host({ ...UNKNOWN_PEER, instance }, healthy, byPort, connector, POOL);
}

const [a, b, c] = [host("a"), host("b"), host("c")];

describe("balancers", () => {
  test("take turns from a random start", () => {
    const balancer = new RoundRobinBalancer(() => 0);
    const picks = Array.from({ length: 6 }, () => balancer.choose([a, b, c])?.peer.instance).join("");
    assert.equal(picks, "bcabca");
    const starts = new Set([0, 0.4, 0.9].map((start) => new RoundRobinBalancer(() => start).choose([a, b, c])));
    assert.ok(starts.size > 1);
  });

  test("choose the less busy of two different hosts", () => {
    const [busy, idle] = [host("busy"), host("idle")];
    busy.activeRequests = 5;
    for (const random of [0, 0.3, 0.6, 0.99]) {
      assert.equal(new LeastRequestBalancer(() => random).choose([busy, idle]), idle);
      assert.equal(new LeastRequestBalancer(() => random).choose([idle, busy]), idle);
    }
    assert.equal(new LeastRequestBalancer().choose([busy]), busy);
  });

  test("choose by chance", () => {
    const draws = [0, 0.34, 0.99];
    const balancer = new RandomBalancer(() => draws.shift() ?? 0);
    assert.deepEqual([balancer.choose([a, b, c]), balancer.choose([a, b, c]), balancer.choose([a, b, c])], [a, b, c]);
  });

  test("are made by name, and take turns for names that nobody knows", () => {
    assert.ok(createBalancer("LEAST_CONN") instanceof LeastRequestBalancer);
    assert.ok(createBalancer("RANDOM") instanceof RandomBalancer);
    assert.ok(createBalancer("MAGLEV") instanceof RoundRobinBalancer);
  });
});

describe("a cluster", () => {
  test("chooses healthy hosts only, and prefers those not tried yet", () => {
    const cluster = new Cluster("test");
    assert.equal(cluster.choose(undefined), undefined);
    cluster.update([host("ill", [80], false)], "ROUND_ROBIN");
    assert.equal(cluster.choose(undefined), undefined);
    cluster.update([a, b, host("ill", [80], false)], "ROUND_ROBIN");
    for (let i = 0; i < 4; i++) assert.equal(cluster.choose(new Set([a])), b);
    assert.ok([a, b].includes(cluster.choose(new Set([a, b])) as Host));
  });

  test("keeps its turn when hosts change, and begins anew with another policy", () => {
    const cluster = new Cluster("test");
    cluster.update([a, b], "ROUND_ROBIN");
    const first = cluster.choose(undefined);
    cluster.update([a, b], "ROUND_ROBIN");
    assert.notEqual(cluster.choose(undefined), first);
    cluster.update([a, b], "RANDOM");
    assert.equal(cluster.policy, "RANDOM");
  });

  test("finds the hosts that serve a port when not all do", () => {
    const cluster = new Cluster("test");
    const other = host("other", [81]);
    cluster.update([a, b, other], "ROUND_ROBIN");
    for (let i = 0; i < 5; i++) assert.equal(cluster.chooseServing(81, undefined), other);
    assert.equal(cluster.chooseServing(81, new Set([other])), other);
    assert.equal(cluster.chooseServing(82, undefined), undefined);
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

const SILENT: UpstreamEvents = { onInterim() {}, onHead() {}, onData() {}, onFlush() {}, onDrain() {}, onReset() {} };
const GET = { method: "GET", authority: "a", scheme: "http", path: "/", headers: new HeaderList() } as const;

function pool(options = POOL) {
  const opened: ConnectEvents[] = [];
  const connections = new ConnectionPool((events) => opened.push(events), options);
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
  return { connections, opened, acquire, connect };
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
    const { acquire, opened, connect } = pool({ ...POOL, maxConnections: 1 });
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
    const { acquire, connect, opened } = pool({ ...POOL, maxConnections: 1 });
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
