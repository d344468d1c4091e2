import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { Acceptor, type Taker } from "../../services/proxy/workers/acceptor.ts";
import { UnavailableError } from "../../shared/base/index.ts";
import { eventually } from "../harness/index.ts";

/** A worker in the test's hands. */
class TestTaker implements Taker {
  gone = false;
  readonly offered: Socket[] = [];
  readonly #take: () => Promise<unknown>;

  constructor(take: () => Promise<unknown>) {
    this.#take = take;
  }

  take(_listener: string, socket: Socket): Promise<unknown> {
    this.offered.push(socket);
    return this.#take();
  }
}

describe("connections that are handed out", () => {
  const acceptor = new Acceptor();
  const clients: Socket[] = [];

  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });

  async function arrive(): Promise<Socket> {
    const port = await acceptor.bind({ name: "inbound", address: "127.0.0.1", port: 0 });
    const client = connect(port, "127.0.0.1");
    client.on("error", () => {});
    clients.push(client);
    await once(client, "connect");
    return client;
  }

  test("go to another worker when theirs is gone, which is asked no more", async () => {
    const dead = new TestTaker(() => Promise.reject(new UnavailableError("gone")));
    dead.gone = true;
    acceptor.join(dead);
    await arrive();
    await eventually(() => dead.offered.length > 0);
    const alive = new TestTaker(() => Promise.resolve());
    acceptor.join(alive);
    await eventually(() => alive.offered.length === 1);
    assert.equal(alive.offered[0], dead.offered[0]);
    await arrive();
    await eventually(() => alive.offered.length === 2);
    assert.equal(dead.offered.length, 1);
    acceptor.leave(alive);
  });

  test("end when their worker fails with them: no other reads on", async () => {
    const failing = new TestTaker(() => Promise.reject(new Error("a fault")));
    acceptor.join(failing);
    const client = await arrive();
    await once(client, "close");
    assert.equal(failing.offered.length, 1);
    const next = await arrive();
    await once(next, "close");
    assert.equal(failing.offered.length, 2, "it is still asked");
    acceptor.leave(failing);
    await acceptor.close();
  });
});
