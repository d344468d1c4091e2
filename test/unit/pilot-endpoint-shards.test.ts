import assert from "node:assert/strict";
import { test } from "node:test";
import { EndpointShards } from "../../services/pilot/endpoint-shards.ts";
import { fnv1a32 } from "../../shared/base/index.ts";
import { EndpointSet } from "../../shared/wire/index.ts";
import { FakeClock, silentLog } from "../harness/index.ts";

const SERVICE = "default.reviews";

class Fixture {
  readonly clock = new FakeClock();
  readonly table = new Map<string, string[]>();
  readonly writes: string[] = [];
  readonly grown: string[] = [];
  instances: string[] = [];
  failing = false;
  readonly shards: EndpointShards;

  constructor(maxPerShard = 100, begins = true) {
    this.shards = new EndpointShards({
      clock: this.clock,
      log: silentLog,
      maxPerShard,
      table: {
        set: async (key, value) => {
          if (this.failing) throw new Error("not now");
          this.writes.push(key);
          this.table.set(
            key,
            EndpointSet.decode(value).endpoints.map((endpoint) => endpoint.instance),
          );
        },
        remove: async (key) => this.table.delete(key),
      },
      endpoints: () => this.instances.map((instance) => ({ instance })),
      onGrown: (service) => this.grown.push(service),
    });
    if (begins) this.shards.begin();
  }

  add(...instances: string[]): void {
    this.instances = [...this.instances, ...instances];
    this.shards.touch(SERVICE, instances);
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("nothing is written before all is known that instances come from", async () => {
  const fixture = new Fixture(100, false);
  fixture.shards.restore(SERVICE, 1);
  fixture.add("a");
  assert.equal(await fixture.shards.flush(SERVICE), false);
  fixture.add("b");
  await settled();
  assert.deepEqual(fixture.writes, []);
  fixture.shards.begin();
  await settled();
  assert.deepEqual([...fixture.table.values()], [["a", "b"]]);
  assert.equal(fixture.writes.length, 1);
});

test("the first change is written at once, those after it together 200 ms later", async () => {
  const fixture = new Fixture();
  fixture.add("a");
  await settled();
  assert.deepEqual(fixture.table.get(`${SERVICE}.0`), ["a"]);
  fixture.clock.advance(50);
  fixture.add("b");
  fixture.add("c");
  await settled();
  assert.equal(fixture.writes.length, 1);
  await fixture.clock.advanceAsync(150);
  assert.deepEqual(fixture.table.get(`${SERVICE}.0`), ["a", "b", "c"]);
  assert.equal(fixture.writes.length, 2);
});

test("a flush does not wait for its turn, and a failed write is tried again", async () => {
  const fixture = new Fixture();
  fixture.add("a");
  fixture.add("b");
  assert.equal(await fixture.shards.flush(SERVICE), true);
  assert.deepEqual(fixture.table.get(`${SERVICE}.0`), ["a", "b"]);
  fixture.failing = true;
  fixture.add("c");
  assert.equal(await fixture.shards.flush(SERVICE), false);
  fixture.failing = false;
  await fixture.clock.advanceAsync(3000, 500);
  assert.deepEqual(fixture.table.get(`${SERVICE}.0`), ["a", "b", "c"]);
});

test("a service that outgrows its shards loses no instance for followers of the old or the new number", async () => {
  const fixture = new Fixture(4);
  fixture.add("a", "b", "c", "d");
  await settled();
  fixture.add(...Array.from({ length: 20 }, (_, i) => `more-${i}`));
  await fixture.clock.advanceAsync(1000, 100);
  const count = fixture.shards.count(SERVICE);
  assert.ok(count >= 8);
  assert.deepEqual(fixture.grown, [SERVICE]);
  assert.deepEqual(
    [...(fixture.table.get(`${SERVICE}.0`) ?? [])].sort(),
    [...fixture.instances].sort(),
    "old followers",
  );
  const union = new Set(fixture.shards.keys(SERVICE).flatMap((key) => fixture.table.get(key) ?? []));
  assert.equal(union.size, fixture.instances.length, "new followers");
  fixture.shards.announced(SERVICE, count);
  await fixture.clock.advanceAsync(1000, 100);
  for (let index = 0; index < count; index++) {
    const expected = fixture.instances.filter((instance) => fnv1a32(instance) % count === index);
    assert.deepEqual(fixture.table.get(`${SERVICE}.${index}`), expected);
  }
});

test("instances that chose names of one hash do not make the shards grow without end", async () => {
  const fixture = new Fixture();
  const names = Array.from({ length: 200 }, (_, i) => String.fromCharCode(0x61 + 0x100 * i));
  assert.equal(new Set(names.map(fnv1a32)).size, 1);
  fixture.add(...names);
  await settled();
  await fixture.clock.advanceAsync(1000, 100);
  assert.ok(fixture.shards.count(SERVICE) <= 16);
  const union = new Set(fixture.shards.keys(SERVICE).flatMap((key) => fixture.table.get(key) ?? []));
  assert.equal(union.size, names.length);
});
