import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Balancer } from "../../services/proxy/cluster/balancer.ts";
import { LeastRequestBalancer } from "../../services/proxy/cluster/balancer-least-request.ts";
import { MaglevBalancer } from "../../services/proxy/cluster/balancer-maglev.ts";
import { FAILURE_PENALTY_MS, PeakEwmaBalancer } from "../../services/proxy/cluster/balancer-peak-ewma.ts";
import { RandomBalancer } from "../../services/proxy/cluster/balancer-random.ts";
import { RingHashBalancer } from "../../services/proxy/cluster/balancer-ring-hash.ts";
import { RoundRobinBalancer } from "../../services/proxy/cluster/balancer-round-robin.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { createBalancer } from "../../services/proxy/cluster/create-balancer.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { LatencyAverage } from "../../services/proxy/cluster/latency-average.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { mix32 } from "../../shared/base/index.ts";

const connector = new Connector({
  connectTimeoutMs: 1_000,
  self: UNKNOWN_PEER,
  identity: () => undefined,
  verify: () => ({ error: "not used" }),
});

function host(instance: string, weight = 1): Host {
  return new Host({ peer: { ...UNKNOWN_PEER, instance }, ports: new Map(), connector, weight });
}

function hostsOf(count: number): Host[] {
  return Array.from({ length: count }, (_, i) => host(`reviews-${i}`));
}

/** The same numbers in every run (a linear congruential generator). */
function seeded(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function counts(balancer: Balancer, choices: number, hashOf: (i: number) => number | undefined = () => undefined) {
  const seen = new Map<string, number>();
  for (let i = 0; i < choices; i++) {
    const key = balancer.choose(hashOf(i))?.key ?? "none";
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  return seen;
}

function ready<B extends Balancer>(balancer: B, hosts: readonly Host[]): B {
  balancer.update(hosts);
  return balancer;
}

const keys = Array.from({ length: 100_000 }, (_, i) => mix32(i));
const hashed = (i: number): number => keys[i] ?? 0;
const placesOf = (balancer: Balancer): (string | undefined)[] => keys.map((key) => balancer.choose(key)?.key);

describe("round robin", () => {
  test("takes turns from a random start, and keeps its place when hosts change", () => {
    const [a, b, c] = [host("a"), host("b"), host("c")];
    const balancer = ready(new RoundRobinBalancer(() => 0), [a, b, c]);
    assert.equal(Array.from({ length: 6 }, () => balancer.choose()?.key).join(""), "bcabca");
    balancer.update([a, b]);
    assert.equal(balancer.choose(), b);
    const starts = [0, 0.4, 0.9].map((start) => ready(new RoundRobinBalancer(() => start), [a, b, c]).choose());
    assert.ok(new Set(starts).size > 1);
  });

  test("gives unequal hosts exactly their shares, evenly spread", () => {
    const balancer = ready(new RoundRobinBalancer(seeded()), [host("five", 5), host("three", 3), host("two", 2)]);
    for (let round = 0; round < 100; round++) {
      const seen = counts(balancer, 10);
      assert.ok(Math.abs((seen.get("five") ?? 0) - 5) <= 1, "never more than one turn off in any round");
      assert.ok(Math.abs((seen.get("two") ?? 0) - 2) <= 1);
    }
    const seen = counts(balancer, 10_000);
    assert.ok(Math.abs((seen.get("five") ?? 0) - 5_000) <= 1);
    assert.ok(Math.abs((seen.get("three") ?? 0) - 3_000) <= 1);
  });

  test("has nobody to choose when there is nobody", () => {
    assert.equal(ready(new RoundRobinBalancer(), []).choose(), undefined);
  });
});

describe("least request", () => {
  test("chooses the less busy of two different hosts", () => {
    const [busy, idle] = [host("busy"), host("idle")];
    busy.activeRequests = 5;
    for (const random of [0, 0.3, 0.6, 0.99]) {
      assert.equal(ready(new LeastRequestBalancer(() => random), [busy, idle]).choose(), idle);
      assert.equal(ready(new LeastRequestBalancer(() => random), [idle, busy]).choose(), idle);
    }
    assert.equal(ready(new LeastRequestBalancer(), [busy]).choose(), busy);
  });

  test("keeps the busiest host close to the average: the power of two choices", () => {
    // n balls into n bins: the fullest holds about ln ln n / ln 2 + 1 with two choices, ln n / ln ln n with one.
    const loaded = (balancer: Balancer, hosts: readonly Host[]): number => {
      for (let i = 0; i < hosts.length; i++) {
        const chosen = balancer.choose(undefined);
        if (chosen !== undefined) chosen.activeRequests++;
      }
      return Math.max(...hosts.map(({ activeRequests }) => activeRequests));
    };
    const [two, one] = [hostsOf(1_000), hostsOf(1_000)];
    const withTwo = loaded(ready(new LeastRequestBalancer(seeded()), two), two);
    const withOne = loaded(ready(new RandomBalancer(seeded()), one), one);
    assert.ok(withTwo <= 4, `${withTwo} at the busiest`);
    assert.ok(withOne > withTwo, `${withOne} with one choice`);
  });

  test("takes weight over load among unequal hosts", () => {
    const [big, small] = [host("big", 3), host("small", 1)];
    const balancer = ready(new LeastRequestBalancer(seeded()), [big, small]);
    assert.ok(Math.abs((counts(balancer, 4_000).get("big") ?? 0) - 3_000) <= 2);
    big.activeRequests = 8;
    const seen = counts(balancer, 4_000);
    assert.ok(Math.abs((seen.get("big") ?? 0) - 1_000) <= 5, `${seen.get("big")} of 4000 at 3/9 to 1/1`);
  });
});

describe("random", () => {
  test("spreads by chance, within four deviations of the mean", () => {
    const seen = counts(ready(new RandomBalancer(seeded()), hostsOf(10)), 100_000);
    for (const count of seen.values()) assert.ok(Math.abs(count - 10_000) < 4 * Math.sqrt(9_000), String(count));
  });

  test("gives unequal hosts their shares", () => {
    const seen = counts(ready(new RandomBalancer(seeded()), [host("a", 1), host("b", 9)]), 100_000);
    assert.ok(Math.abs((seen.get("b") ?? 0) - 90_000) < 4 * Math.sqrt(9_000), String(seen.get("b")));
  });
});

describe("peak EWMA", () => {
  test("leaves a host that has become slow with its first slow answer, and comes back when that has faded", () => {
    let nowMs = 1_000;
    const [quick, slow] = [host("quick"), host("slow")];
    const balancer = ready(new PeakEwmaBalancer(seeded(), () => nowMs), [quick, slow]);
    for (let i = 0; i < 50; i++) {
      quick.latency?.observe(10, nowMs);
      slow.latency?.observe(10, nowMs);
    }
    slow.latency?.observe(200, nowMs);
    assert.equal(counts(balancer, 1_000).get("quick"), 1_000);
    nowMs += 40_000;
    quick.latency?.observe(10, nowMs);
    assert.equal(counts(balancer, 1_000).get("slow"), 1_000, "what has not been heard of is worth a try");
  });

  test("weighs latency by the requests under way", () => {
    const [quick, slow] = [host("quick"), host("slow")];
    const balancer = ready(new PeakEwmaBalancer(seeded(), () => 1_000), [quick, slow]);
    quick.latency?.observe(10, 1_000);
    slow.latency?.observe(35, 1_000);
    quick.activeRequests = 2;
    assert.equal(balancer.choose(), quick, "10 * 3 against 35 * 1");
    quick.activeRequests = 3;
    assert.equal(balancer.choose(), slow, "10 * 4 against 35 * 1");
  });

  test("sends one request to a host that it knows nothing of, and waits for its answer", () => {
    const [known, unknown] = [host("known"), host("unknown")];
    const balancer = ready(new PeakEwmaBalancer(seeded(), () => 1_000), [known, unknown]);
    known.latency?.observe(50, 1_000);
    assert.equal(balancer.choose(), unknown);
    unknown.activeRequests++;
    assert.equal(balancer.choose(), known);
  });

  test("believes bad news at once and good news slowly", () => {
    const average = new LatencyAverage();
    average.observe(10, 0);
    average.observe(FAILURE_PENALTY_MS, 1);
    assert.equal(average.read(1), FAILURE_PENALTY_MS);
    average.observe(10, 1_001);
    assert.ok(average.read(1_001) > 4_000);
    assert.ok(average.read(31_001) < 300);
  });
});

describe("ring hash", () => {
  const ring = (hosts: readonly Host[], size = 0): RingHashBalancer => ready(new RingHashBalancer(size), hosts);

  test("keeps a request's hash with its host, on every proxy, in whatever order it heard of the hosts", () => {
    const hosts = hostsOf(10);
    assert.deepEqual(placesOf(ring(hosts)), placesOf(ring([...hosts].reverse())));
  });

  test("moves nothing but the requests of a host that goes", () => {
    const hosts = hostsOf(10);
    const [before, after] = [placesOf(ring(hosts)), placesOf(ring(hosts.slice(1)))];
    let moved = 0;
    for (const [i, place] of before.entries()) {
      if (place === hosts[0]?.key) moved++;
      else assert.equal(after[i], place);
    }
    assert.ok(moved / keys.length < 0.15, `${moved} moved, a tenth in the mean`);
  });

  test("is even to within a tenth with a thousand points a host, and more even with more", () => {
    const spread = (points: number): number => {
      const seen = [...counts(ring(hostsOf(10), 10 * points), keys.length, hashed).values()];
      return Math.sqrt(seen.reduce((sum, count) => sum + (count / 10_000 - 1) ** 2, 0) / seen.length);
    };
    // The standard deviation of a host's part is one over the root of its points.
    assert.ok(spread(100) < 0.2, String(spread(100)));
    assert.ok(spread(1_000) < 0.06, String(spread(1_000)));
    assert.ok(spread(10_000) < 0.025, String(spread(10_000)));
  });

  test("gives a host of twice the weight twice the requests", () => {
    const seen = counts(ring([host("a", 2), host("b"), host("c")], 8_192), keys.length, hashed);
    assert.ok(Math.abs((seen.get("a") ?? 0) / keys.length - 0.5) < 0.03, String(seen.get("a")));
  });

  test("is free where a request has no hash", () => {
    const seen = counts(ready(new RingHashBalancer(0, seeded()), hostsOf(4)), 4_000);
    for (const count of seen.values()) assert.ok(Math.abs(count - 1_000) < 150, String(count));
    assert.equal(ring([]).choose(1), undefined);
  });
});

describe("maglev", () => {
  const maglev = (hosts: readonly Host[], size = 0): MaglevBalancer => ready(new MaglevBalancer(size), hosts);

  test("fills its 65537 places evenly to within one for equal hosts", () => {
    for (const count of [3, 10, 100]) {
      const balancer = maglev(hostsOf(count));
      const seen = [...counts(balancer, 65_537, (i) => i).values()];
      assert.equal(seen.length, count);
      assert.ok(
        Math.max(...seen) - Math.min(...seen) <= 1,
        `${count} hosts: ${Math.min(...seen)}-${Math.max(...seen)}`,
      );
    }
  });

  test("gives the same table on every proxy, in whatever order it heard of the hosts", () => {
    const hosts = hostsOf(10);
    assert.deepEqual(placesOf(maglev(hosts)), placesOf(maglev([...hosts].reverse())));
  });

  test("moves a few percent beside the requests of a host that goes, as its authors measured", () => {
    const hosts = hostsOf(20);
    const [before, after] = [placesOf(maglev(hosts)), placesOf(maglev(hosts.slice(1)))];
    const others = before.map((place, i) => [place, after[i]]).filter(([place]) => place !== hosts[0]?.key);
    const moved = others.filter(([place, now]) => place !== now).length;
    assert.ok(moved / others.length < 0.03, `${((moved * 100) / others.length).toFixed(2)} % moved`);
    const whole = before.filter((place, i) => place !== after[i]).length / keys.length;
    assert.ok(whole >= 0.045 && whole < 0.08, `${(whole * 100).toFixed(2)} % in all: 5 % must`);
  });

  test("gives hosts places by weight", () => {
    const seen = counts(maglev([host("a", 3), host("b", 1)]), 65_537, (i) => i);
    assert.ok(Math.abs((seen.get("a") ?? 0) / 65_537 - 0.75) < 0.001);
  });

  test("takes the next prime for a size that is none, so that every order of preference covers the table", () => {
    const seen = counts(maglev(hostsOf(3), 1_000), 1_009, (i) => i);
    assert.equal(
      [...seen.values()].reduce((sum, count) => sum + count, 0),
      1_009,
    );
    assert.ok(Math.max(...seen.values()) - Math.min(...seen.values()) <= 1);
  });

  test("is free where a request has no hash, and points to the host that has come in an old one's place", () => {
    const balancer = maglev(hostsOf(2));
    assert.ok(counts(balancer, 100).size === 2);
    const again = hostsOf(2);
    balancer.update(again);
    assert.ok(again.includes(balancer.choose(7) as Host));
    assert.equal(maglev([]).choose(1), undefined);
  });
});

describe("balancers", () => {
  test("are made by name, and take turns for names that nobody knows", () => {
    assert.ok(createBalancer("LEAST_CONN") instanceof LeastRequestBalancer);
    assert.ok(createBalancer("RANDOM") instanceof RandomBalancer);
    assert.ok(createBalancer("PEAK_EWMA") instanceof PeakEwmaBalancer);
    assert.ok(createBalancer("RING_HASH") instanceof RingHashBalancer);
    assert.ok(createBalancer("MAGLEV") instanceof MaglevBalancer);
    for (const name of ["ROUND_ROBIN", "PASSTHROUGH", "new"]) {
      assert.ok(createBalancer(name) instanceof RoundRobinBalancer);
    }
  });
});
