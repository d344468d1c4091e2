import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { Input, ServiceConfig } from "../../shared/wire/index.ts";
import { ToldDirectory } from "../harness/told-directory.ts";

type Config = Input<typeof ServiceConfig>;

const route = (rule: string, service: string) => ({
  rule,
  destinations: [{ destination: { namespace: "default", service }, weight: 100 }],
});

test("a service that has been let go takes no part in what becomes of it, whoever follows it on", () => {
  const told = new ToldDirectory();
  told.directory.entry("default", "api");
  const another = told.tables.service.follow("default.api");
  told.write("api", 1, { routes: [route("one", "first")] });
  assert.deepEqual(told.followed, ["default.api", "default.first"]);
  told.directory.close();
  told.write("api", 2, { routes: [route("one", "second")] });
  assert.deepEqual(told.followed, ["default.api", "default.first"]);
  another.close();
});

describe("a service with views", () => {
  const config: Config = {
    routes: [route("all", "api")],
    views: [
      { namespaces: ["blog", "shop"], routes: [route("shop", "canary")] },
      { namespaces: ["shop"], routes: [route("late", "api")] },
    ],
    requires: [
      { table: "service", key: "default.canary", epoch: 1, sequence: 5 },
      { table: "endpoints", key: "default.canary.0", epoch: 1, sequence: 7 },
    ],
  };
  let told: ToldDirectory;
  const routesIn = (namespace: string) => {
    told = new ToldDirectory({ namespace });
    const entry = told.directory.entry("default", "api");
    told.write("api", 1, config);
    return () => entry.snapshot?.routes.routes.map(({ rule }) => rule);
  };
  beforeEach(() => told?.directory.close());

  test("has the routes of the first that names the caller's namespace", () => {
    const routes = routesIn("shop");
    assert.equal(routes(), undefined);
    told.write("canary", 5, {});
    told.write("api", 2, { ...config, requires: [] });
    assert.deepEqual(routes(), ["shop"]);
    assert.deepEqual(routesIn("default")(), ["all"]);
  });

  test("has the caller follow and wait for what its own routes lead to, and nothing else", () => {
    const outside = routesIn("default");
    assert.deepEqual([outside(), told.followed], [["all"], ["default.api"]]);
    const inside = routesIn("shop");
    assert.deepEqual(told.followed, ["default.api", "default.canary"]);
    told.write("canary", 4, { endpointShards: 1 });
    told.writeShard("canary", 0, 7);
    assert.equal(inside(), undefined, "the service's own position is not held");
    told.write("canary", 5, { endpointShards: 1 });
    assert.deepEqual(inside(), ["shop"]);
  });

  test("waits for a shard's position of a service that it routes to", () => {
    const inside = routesIn("shop");
    told.write("canary", 5, { endpointShards: 1 });
    told.writeShard("canary", 0, 6);
    assert.equal(inside(), undefined);
    told.writeShard("canary", 0, 7);
    assert.deepEqual(inside(), ["shop"]);
  });

  test("takes up and lets go of what it leads to as the views change", () => {
    const routes = routesIn("default");
    told.write("api", 2, { ...config, views: [{ namespaces: ["default"], routes: [route("mine", "next")] }] });
    assert.deepEqual(told.followed, ["default.api", "default.next"]);
    assert.deepEqual(routes(), ["all"], "the last good ones, until the next service is known");
    told.write("next", 1, {});
    assert.deepEqual(routes(), ["mine"]);
  });
});
