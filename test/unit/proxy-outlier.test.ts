import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { compilePolicy } from "../../services/proxy/cluster/cluster-policy.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { ServiceConfig, type TrafficPolicyInput } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/index.ts";

const connector = new Connector({
  connectTimeoutMs: 1_000,
  self: UNKNOWN_PEER,
  identity: () => undefined,
  verify: () => ({ error: "not used" }),
});

type Outlier = NonNullable<TrafficPolicyInput["outlierDetection"]>;

class Judged {
  readonly clock = new FakeClock();
  readonly cluster = new Cluster("test", { clock: this.clock });
  readonly hosts: readonly Host[];

  constructor(count: number, outlierDetection: Outlier | undefined) {
    this.hosts = Array.from({ length: count }, (_, i) => {
      const ports = new Map([[80, { address: "127.0.0.1", port: 1, plaintext: true }]]);
      return new Host({ peer: { ...UNKNOWN_PEER, instance: String(i) }, ports, connector });
    });
    this.adopt(outlierDetection);
  }

  adopt(outlierDetection: Outlier | undefined): void {
    const policies = outlierDetection === undefined ? [] : [{ outlierDetection }];
    const [config] = ServiceConfig.decode(ServiceConfig.encode({ policies })).policies;
    this.cluster.update(this.hosts, compilePolicy(config));
  }

  answer(index: number, ...statuses: number[]): this {
    const host = this.hosts[index];
    for (const status of statuses) if (host !== undefined) this.cluster.outlier?.onStatus(host, status);
    return this;
  }

  get ejected(): string {
    return this.hosts
      .filter((host) => host.ejected)
      .map((host) => host.key)
      .join();
  }
}

const fives = (count: number, status = 500): number[] => Array<number>(count).fill(status);

describe("outlier detection", () => {
  test("does not exist without a policy", () => {
    const judged = new Judged(3, undefined).answer(0, ...fives(100));
    assert.equal(judged.cluster.outlier, undefined);
    assert.equal(judged.ejected, "");
    assert.equal(judged.clock.pending, 0);
  });

  test("ejects after five 5xx in a row, which one success interrupts, and nobody chooses the host any more", () => {
    const judged = new Judged(3, { consecutive_5xx: 0 }).answer(0, ...fives(4), 200, ...fives(4));
    assert.equal(judged.ejected, "");
    judged.answer(0, 500);
    assert.equal(judged.ejected, "0");
    for (let i = 0; i < 10; i++) assert.notEqual(judged.cluster.choose(80, undefined), judged.hosts[0]);
  });

  test("counts gateway failures apart from other 5xx", () => {
    const judged = new Judged(3, { consecutiveGatewayFailure: 2 }).answer(0, 500, 500, 500, 503, 500, 503);
    assert.equal(judged.ejected, "");
    judged.answer(0, 504);
    assert.equal(judged.ejected, "0");
  });

  test("lets a host back at the first interval after its time, which grows with each ejection up to the longest", () => {
    const judged = new Judged(2, {
      consecutive_5xx: 1,
      intervalMs: 1_000,
      baseEjectionMs: 3_000,
      maxEjectionMs: 7_000,
    });
    const ejectedFor = (): number => {
      judged.answer(0, 500);
      assert.equal(judged.hosts[0]?.ejected, true);
      let seconds = 0;
      for (; judged.hosts[0]?.ejected === true; seconds++) judged.clock.advance(1_000);
      return seconds;
    };
    assert.deepEqual([ejectedFor(), ejectedFor(), ejectedFor()], [3, 6, 7]);
    // Three quiet intervals take the three ejections back.
    judged.clock.advance(3_000);
    assert.equal(ejectedFor(), 3);
  });

  test("takes 10 s, 30 s and 300 s where the policy names no times", () => {
    const judged = new Judged(2, { consecutive_5xx: 1 }).answer(0, 500);
    judged.clock.advance(29_999);
    assert.equal(judged.ejected, "0");
    judged.clock.advance(1);
    assert.equal(judged.ejected, "");
  });

  test("ejects no more than the share, but one always", () => {
    const ten = new Judged(10, { consecutive_5xx: 1 });
    for (const index of [0, 1, 2]) ten.answer(index, 500);
    assert.equal(ten.ejected, "0");
    const third = new Judged(10, { consecutive_5xx: 1, maxEjectionPercent: 35 });
    for (let index = 0; index < 10; index++) third.answer(index, 500);
    assert.equal(third.ejected, "0,1,2");
    const only = new Judged(1, { consecutive_5xx: 1 }).answer(0, 500);
    assert.equal(only.ejected, "0");
    assert.equal(only.cluster.choose(80, undefined), only.hosts[0], "the panic threshold keeps it in use");
  });

  test("ejects nobody while too few are healthy, and that share is then the panic threshold too", () => {
    const judged = new Judged(4, { consecutive_5xx: 1, maxEjectionPercent: 100, minHealthPercent: 70 });
    judged.answer(0, 500).answer(1, 500).answer(2, 500);
    assert.equal(judged.ejected, "0,1", "three of four are 75 %, two are 50 %");
    assert.equal(judged.cluster.policy.panicPercent, 70);
    const chosen = new Set(Array.from({ length: 20 }, () => judged.cluster.choose(80, undefined)?.key));
    assert.equal(chosen.size, 4);
  });

  test("ejects whose success rate is far below the others', once an interval, if enough is known", () => {
    const policy = { successRateStdevFactor: 1.9, intervalMs: 1_000, successRateRequestVolume: 10 };
    const judged = new Judged(10, policy);
    const round = (bad: number[]): void => {
      for (let index = 0; index < 10; index++) judged.answer(index, ...(index === 3 ? bad : fives(10, 200)));
      judged.clock.advance(1_000);
    };
    round([...fives(5), ...fives(4, 200)]);
    assert.equal(judged.ejected, "", "nine requests are too few to judge it");
    round([...fives(5), ...fives(5, 200)]);
    assert.equal(judged.ejected, "3");
    const few = new Judged(4, policy);
    for (let index = 0; index < 4; index++) few.answer(index, ...fives(10, index === 0 ? 500 : 200));
    few.clock.advance(1_000);
    assert.equal(few.ejected, "", "fewer than five hosts are no mean");
  });

  test("is forgotten with its policy, and kept through a change of another part", () => {
    const judged = new Judged(3, { consecutive_5xx: 2, maxEjectionPercent: 50 }).answer(0, 500, 500);
    judged.adopt({ consecutive_5xx: 2, maxEjectionPercent: 50 });
    assert.equal(judged.ejected, "0");
    judged.answer(1, 500);
    judged.adopt({ consecutive_5xx: 3, maxEjectionPercent: 50 });
    assert.equal(judged.ejected, "");
    judged.adopt(undefined);
    assert.equal(judged.clock.pending, 0);
  });
});
