import assert from "node:assert/strict";
import { test } from "node:test";
import { PlanBook } from "../../services/proxy/mesh/plan-book.ts";
import { RelayedTables } from "../../services/proxy/workers/relayed-table.ts";
import { Plan, tableKey } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/fake-clock.ts";
import { silentLog } from "../harness/log.ts";

const REVIEWS = { namespace: "default", service: "reviews" };
const RATINGS = { namespace: "default", service: "ratings" };

/** A book over keys that the test sets. */
function planBook() {
  const ids = new Map<string, number>();
  const relayed = new RelayedTables(
    (notice) => {
      if (notice.type === "follow") ids.set(notice.key, notice.id);
    },
    new FakeClock(),
    silentLog,
  );
  let sequence = 0;
  const set = (key: string, revision: number | undefined): void => {
    const id = ids.get(key);
    assert.ok(id !== undefined, `${key} is followed`);
    const value = revision === undefined ? undefined : Plan.encode({ revision });
    relayed.update({ id, state: value === undefined ? "absent" : "present", epoch: 1, sequence: ++sequence, value });
  };
  const book = new PlanBook(relayed.tables.plan, ({ revision }) => `compiled ${revision}`);
  return { book, set };
}

test("each change of a plan is seen by those who have asked before", () => {
  const { book, set } = planBook();
  const both = () => [REVIEWS, RATINGS].map((service) => book.get(service)?.compiled);
  assert.deepEqual(both(), [undefined, undefined]);
  set("default", 1);
  assert.deepEqual(both(), ["compiled 1", "compiled 1"]);
  set(tableKey("default", "reviews"), 2);
  assert.deepEqual(both(), ["compiled 2", "compiled 1"]);
  set("default", 3);
  assert.deepEqual(both(), ["compiled 2", "compiled 3"]);
  set(tableKey("default", "reviews"), 4);
  assert.deepEqual(both(), ["compiled 4", "compiled 3"]);
  set(tableKey("default", "reviews"), undefined);
  assert.deepEqual(both(), ["compiled 3", "compiled 3"]);
});

test("a plan is the same for every object that stands for its service, and compiled once", () => {
  const { book, set } = planBook();
  set("default", 1);
  book.get(REVIEWS);
  set(tableKey("default", "reviews"), 2);
  assert.equal(book.get({ ...REVIEWS }), book.get(REVIEWS));
  assert.equal(book.get({ ...REVIEWS })?.compiled, "compiled 2");
});
