import assert from "node:assert/strict";
import { test } from "node:test";
import { notFound, whatThereIs } from "../../cli/not-found.ts";

const SERVICES = ["reviews.default", "ratings.default", "web.shop"];

test("what is not found comes with what it was probably meant to be, and with what there is", () => {
  assert.equal(
    notFound("service", "reviewz", SERVICES).message,
    "no service reviewz; did you mean reviews? there are reviews.default, ratings.default, web.shop",
  );
  assert.equal(
    notFound("service", "web.shpo", SERVICES).message,
    "no service web.shpo; did you mean web.shop? there are reviews.default, ratings.default, web.shop",
  );
});

test("nothing is suggested where nothing is near, and of many names some are told", () => {
  assert.equal(whatThereIs("kitchen", []), "there are none");
  const many = Array.from({ length: 5_000 }, (_, i) => `s${i}.default`);
  assert.equal(whatThereIs("kitchen", many), `there are ${many.slice(0, 8).join(", ")} and 4992 more`);
  assert.equal(whatThereIs("webb", ["web", "web"]), "did you mean web? there are web");
});
