import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DnsBook } from "../../services/proxy/mesh/dns-book.ts";
import { EndpointNames } from "../../services/proxy/mesh/endpoint-names.ts";
import { type EndpointInput, EndpointSet } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/index.ts";

/** A resolver that answers as told, and when it is told. */
class Resolver {
  readonly asked: string[] = [];
  readonly answers = new Map<string, readonly string[]>();
  held: (() => void)[] | undefined;

  readonly resolve = async (name: string): Promise<readonly string[]> => {
    this.asked.push(name);
    if (this.held !== undefined) await new Promise<void>((resolve) => this.held?.push(resolve));
    const answer = this.answers.get(name);
    if (answer === undefined) throw new Error("ENOTFOUND");
    return answer;
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function start() {
  const clock = new FakeClock();
  const resolver = new Resolver();
  return { clock, resolver, book: new DnsBook({ clock, resolve: resolver.resolve }) };
}

describe("names that are followed", () => {
  test("are resolved again and again, and tell when something changed", async () => {
    const { clock, resolver, book } = start();
    let changes = 0;
    resolver.answers.set("a", ["10.0.0.2", "10.0.0.1", "10.0.0.2"]);
    const name = book.follow("a", () => changes++);
    assert.equal(name?.addresses, undefined);
    await settled();
    assert.deepEqual(name?.addresses, ["10.0.0.1", "10.0.0.2"]);
    resolver.answers.set("a", ["10.0.0.1", "10.0.0.2"]);
    await clock.advanceAsync(40_000, 1_000);
    assert.equal(changes, 1);
    resolver.answers.set("a", ["10.0.0.3"]);
    await clock.advanceAsync(40_000, 1_000);
    assert.deepEqual([changes, name?.addresses], [2, ["10.0.0.3"]]);
    assert.ok(resolver.asked.length >= 3 && resolver.asked.length <= 5);
  });

  test("keep what was said last while nobody answers", async () => {
    const { clock, resolver, book } = start();
    resolver.answers.set("a", ["10.0.0.1"]);
    const name = book.follow("a", () => {});
    await settled();
    resolver.answers.delete("a");
    await clock.advanceAsync(300_000, 1_000);
    assert.deepEqual(name?.addresses, ["10.0.0.1"]);
    assert.ok(resolver.asked.length < 100, `${resolver.asked.length} questions`);
    resolver.answers.set("a", ["10.0.0.2"]);
    await clock.advanceAsync(40_000, 1_000);
    assert.deepEqual(name?.addresses, ["10.0.0.2"]);
  });

  test("are asked for once, and no more when nobody wants to know", async () => {
    const { clock, resolver, book } = start();
    resolver.answers.set("a", ["10.0.0.1"]);
    const [one, other] = [book.follow("a", () => {}), book.follow("a", () => {})];
    await settled();
    assert.equal(resolver.asked.length, 1);
    one?.close();
    assert.equal(clock.pending, 1);
    other?.close();
    assert.equal(clock.pending, 0);
  });

  test("two at a time, and not more than there may be", async () => {
    const { clock, resolver, book } = start();
    resolver.held = [];
    const names = Array.from({ length: 1_025 }, (_, i) => book.follow(`name-${i}`, () => {}));
    assert.equal(resolver.asked.length, 2);
    assert.equal(names.filter((name) => name === undefined).length, 1);
    book.close();
    for (const release of resolver.held) release();
    await settled();
    assert.deepEqual([resolver.asked.length, clock.pending], [2, 0]);
  });
});

describe("endpoints with names", () => {
  const endpoints = (...listed: EndpointInput[]) =>
    EndpointSet.decode(EndpointSet.encode({ endpoints: listed })).endpoints;
  const shown = (resolved: readonly { readonly instance: string; readonly address: string }[]): string[] =>
    resolved.map(({ instance, address }) => `${instance} at ${address}`);

  test("are an instance an address once they are resolved", async () => {
    const { resolver, book } = start();
    resolver.answers.set("many", ["10.0.0.2", "10.0.0.1"]);
    resolver.answers.set("one", ["10.0.0.9"]);
    let changes = 0;
    const names = new EndpointNames(book, () => changes++);
    const listed = endpoints(
      { instance: "m", address: "many", plaintext: true },
      { instance: "o", address: "one", plaintext: true },
      { instance: "l", address: "many", plaintext: true, logicalDns: true },
      { instance: "i", address: "10.0.0.5", plaintext: true },
      { instance: "s", address: "one" },
    );
    assert.deepEqual(shown(names.resolve(listed)), ["m at many", "o at one", "l at many", "i at 10.0.0.5", "s at one"]);
    await settled();
    assert.equal(changes, 2);
    assert.deepEqual(shown(names.resolve(listed)), [
      "m/10.0.0.1 at 10.0.0.1",
      "m/10.0.0.2 at 10.0.0.2",
      "o at 10.0.0.9",
      "l at many",
      "i at 10.0.0.5",
      "s at one",
    ]);
    assert.deepEqual([...resolver.asked].sort(), ["many", "one"]);
  });

  test("are followed no longer than they are listed", async () => {
    const { clock, resolver, book } = start();
    resolver.answers.set("a", ["10.0.0.1"]);
    resolver.answers.set("b", ["10.0.0.2"]);
    const names = new EndpointNames(book, () => {});
    names.resolve(
      endpoints({ instance: "1", address: "a", plaintext: true }, { instance: "2", address: "b", plaintext: true }),
    );
    await settled();
    assert.equal(clock.pending, 2);
    names.resolve(endpoints({ instance: "2", address: "b", plaintext: true }));
    assert.equal(clock.pending, 1);
    names.close();
    assert.equal(clock.pending, 0);
  });
});
