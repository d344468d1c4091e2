import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "../../services/pilot/registry.ts";
import { registryPage } from "../../services/pilot/registry-list.ts";
import { joinPages, Registration, type RegistryPage } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/index.ts";

function registered(counts: Readonly<Record<string, number>>): Registry {
  const registry = new Registry({ clock: new FakeClock(), leaseMs: 15_000, lingerMs: 600_000 });
  for (const [service, count] of Object.entries(counts)) {
    registry.seedService("default", service, [{ number: 80, protocol: "http" }], []);
    for (let i = 0; i < count; i++) {
      const address = {
        verb: "register",
        namespace: "default",
        serviceAccount: service,
        service,
        instance: `i${i}`,
      } as const;
      const body = {
        workload: service,
        address: "10.0.0.1",
        healthy: true,
        version: "1.0.0",
        gateway: service === "gw",
      };
      registry.heard(address, Registration.decode(Registration.encode(body)));
    }
  }
  return registry;
}

function allPages(registry: Registry, maxBytes: number, limit?: number): RegistryPage[] {
  const pages: RegistryPage[] = [];
  let next: string | undefined;
  do {
    const page = registryPage(
      registry,
      { ...(next !== undefined && { continue: next }), ...(limit !== undefined && { limit }) },
      maxBytes,
    );
    pages.push(page);
    next = page.continue;
  } while (next !== undefined && pages.length < 1000);
  return pages;
}

test("pages of any size give every service and instance once, in order", () => {
  const registry = registered({ b: 25, a: 3, empty: 0, gw: 1 });
  const whole = registryPage(registry, {}, 1_000_000);
  assert.deepEqual(
    whole.items.map(({ name, instances }) => [name, instances.length]),
    [
      ["a", 3],
      ["b", 25],
      ["empty", 0],
      ["gw", 1],
    ],
  );
  for (const maxBytes of [1, 700, 2_000]) {
    const pages = allPages(registry, maxBytes);
    assert.ok(pages.length > 1);
    assert.deepEqual(joinPages(pages), whole.items);
    for (const page of pages) {
      const single = page.items.length === 1 && (page.items[0]?.instances.length ?? 0) <= 1;
      assert.ok(single || Buffer.byteLength(JSON.stringify(page.items)) <= maxBytes);
    }
  }
  assert.deepEqual(joinPages(allPages(registry, 1_000_000, 2)), whole.items);
});

test("what comes or goes between two pages shifts nothing", () => {
  const registry = registered({ a: 4 });
  const first = registryPage(registry, { limit: 2 }, 1_000_000);
  registry.departed({ verb: "deregister", namespace: "default", serviceAccount: "a", service: "a", instance: "i0" });
  const second = registryPage(registry, { continue: first.continue ?? "" }, 1_000_000);
  assert.deepEqual(
    second.items.flatMap(({ instances }) => instances.map(({ instance }) => instance)),
    ["i2", "i3"],
  );
});

test("an instance tells its proxy's version and whether it is a gateway", () => {
  const registry = registered({ a: 1, gw: 1 });
  const page = registryPage(registry, { service: "gw" }, 1_000_000);
  assert.equal(page.items[0]?.instances[0]?.gateway, true);
  assert.equal(page.items[0]?.instances[0]?.version, "1.0.0");
  assert.equal(page.items.length, 1);
});
