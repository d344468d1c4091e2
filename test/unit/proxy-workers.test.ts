import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { partOfLimits } from "../../services/proxy/cluster/circuit-breaker.ts";
import { compilePolicy } from "../../services/proxy/cluster/cluster-policy.ts";
import { partOfBucket, TokenBucket } from "../../services/proxy/filter/token-bucket.ts";
import type { ClusterView, HostView, ServiceView } from "../../services/proxy/plane/views.ts";
import { RequestStats } from "../../services/proxy/request-stats.ts";
import { Share, WHOLE } from "../../services/proxy/share.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { AppliedBoard } from "../../services/proxy/workers/applied-board.ts";
import { Channel } from "../../services/proxy/workers/channel.ts";
import {
  mergedClusters,
  mergedListeners,
  mergedRoutes,
  mergedServices,
} from "../../services/proxy/workers/merged-views.ts";
import type { BusAnswer, WorkerNotice } from "../../services/proxy/workers/messages.ts";
import { RelayedBus } from "../../services/proxy/workers/relayed-bus.ts";
import { RelayedTables } from "../../services/proxy/workers/relayed-table.ts";
import { RetiredFigures } from "../../services/proxy/workers/retired-figures.ts";
import { DeniedError, TimeoutError, UnavailableError } from "../../shared/base/index.ts";
import {
  type AppliedState,
  ERROR_CODE_HEADER,
  ERROR_TEXT_HEADER,
  type FollowedKey,
  TYPE_HEADER,
} from "../../shared/bus/index.ts";
import { Metrics, mergedMetrics } from "../../shared/obs/index.ts";
import { ReportAck, ReportBatch, ServiceConfig, Subjects } from "../../shared/wire/index.ts";
import { FakeClock, silentLog } from "../harness/index.ts";

const shares = (count: number): Share[] => Array.from({ length: count }, (_, index) => new Share(index, count));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe("limits of a proxy", () => {
  test("are divided so that the parts add up, and no worker is left with nothing", () => {
    for (const [total, count] of [
      [9_000, 2],
      [10, 3],
      [1_024, 7],
      [5, 5],
    ] as const) {
      assert.equal(sum(shares(count).map((share) => share.part(total))), total);
    }
    assert.deepEqual(
      shares(4).map((share) => share.part(2)),
      [1, 1, 1, 1],
    );
    assert.equal(new Share(1, 3).part(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
  });

  test("of nothing are nothing, in one process and in several", () => {
    for (const share of [WHOLE, new Share(0, 3)]) {
      assert.equal(share.part(0), 0);
      const bucket = new TokenBucket(
        partOfBucket({ maxTokens: 0, tokensPerFill: 1, fillIntervalMs: 100 }, share),
        new FakeClock(),
      );
      assert.equal(bucket.take(), false, "a rate of no tokens lets nothing through");
    }
  });

  test("of a cluster leave alone what is of each connection", () => {
    const circuitBreaker = {
      maxConnections: 5,
      httpMaxPendingRequests: 4,
      httpMaxRetries: 3,
      httpMaxRequestsPerConnection: 7,
    };
    const [config] = ServiceConfig.decode(ServiceConfig.encode({ policies: [{ circuitBreaker }] })).policies;
    const limits = shares(2).map((share) => compilePolicy(config, share).limits);
    assert.deepEqual(
      limits.map(({ maxConnections, maxPending, maxRequests, maxRetries, maxRequestsPerConnection }) => [
        maxConnections,
        maxPending,
        maxRequests,
        maxRetries,
        maxRequestsPerConnection,
      ]),
      [
        [3, 2, Number.POSITIVE_INFINITY, 2, 7],
        [2, 2, Number.POSITIVE_INFINITY, 1, 7],
      ],
    );
    const whole = compilePolicy(undefined).limits;
    assert.deepEqual(partOfLimits(whole, new Share(0, 1)), whole);
  });

  test("of a rate hold over time, even with fewer tokens than workers", () => {
    const clock = new FakeClock();
    for (const tokensPerFill of [1, 3, 4, 10]) {
      const whole = { maxTokens: 10, tokensPerFill, fillIntervalMs: 100 };
      const buckets = shares(4).map((share) => new TokenBucket(partOfBucket(whole, share), clock));
      const takeAll = (): number => {
        let taken = 0;
        for (const bucket of buckets) while (bucket.take()) taken++;
        return taken;
      };
      assert.equal(takeAll(), 10);
      let taken = 0;
      for (let interval = 0; interval < 400; interval++) {
        clock.advance(100);
        taken += takeAll();
      }
      assert.ok(Math.abs(taken - 400 * tokensPerFill) <= 4, `${taken} of ${400 * tokensPerFill}`);
    }
  });
});

describe("what workers have applied", () => {
  const key = (): FollowedKey & { last: AppliedState | undefined } => {
    const made = {
      last: undefined as AppliedState | undefined,
      setApplied: (applied: AppliedState) => (made.last = applied),
    };
    return made as unknown as FollowedKey & { last: AppliedState | undefined };
  };
  const at = (sequence: number, reason?: string, epoch = 1): AppliedState => ({
    epoch,
    sequence,
    revision: sequence * 10,
    ...(reason !== undefined && { reason }),
  });

  test("is what the slowest has, and is held back when one holds it back", () => {
    const board = new AppliedBoard<string>();
    const followed = key();
    board.set(followed, "a", at(4));
    assert.deepEqual(followed.last, at(4));
    board.set(followed, "b", at(3, "waiting"));
    assert.deepEqual(followed.last, at(3, "waiting"));
    board.set(followed, "a", at(5));
    assert.deepEqual(followed.last, at(3, "waiting"));
    board.set(followed, "b", at(5));
    assert.deepEqual(followed.last, at(5));
    board.set(followed, "b", at(1, undefined, 2));
    assert.deepEqual(followed.last, at(5), "a newer epoch is ahead");
  });

  test("does not wait for a worker that is gone", () => {
    const board = new AppliedBoard<string>();
    const followed = key();
    board.set(followed, "a", at(5));
    board.set(followed, "b", at(2));
    board.remove(followed, "b");
    assert.deepEqual(followed.last, at(5));
    board.remove(followed, "a");
    assert.deepEqual(followed.last, at(5), "what the last one had stands");
  });
});

interface Asked {
  readonly add: { readonly argument: number; readonly answer: number };
}

describe("the channel between two processes", () => {
  /** Two ends, with copies of what is said as another process would get them. */
  const pair = (add: (value: number) => number | Promise<number>) => {
    const heard: string[] = [];
    const asking = new Channel<Asked, Record<never, never>, string, string>({
      post: (message): void => answering.receive(structuredClone(message), undefined),
      answers: {},
      hear: () => {},
    });
    const answering = new Channel<Record<never, never>, Asked, string, string>({
      post: (message): void => asking.receive(structuredClone(message), undefined),
      answers: { add },
      hear: (notice) => heard.push(notice),
    });
    return { asking, heard };
  };

  test("answers each question once, and brings errors over as what they were", async () => {
    const { asking, heard } = pair((value) => {
      if (value < 0) throw new DeniedError("no negative numbers");
      if (value === 0) return Promise.reject(new Error("plain"));
      return value + 1;
    });
    asking.tell("hello");
    assert.deepEqual(heard, ["hello"]);
    assert.deepEqual(await Promise.all([1, 2, 3].map((value) => asking.ask("add", value))), [2, 3, 4]);
    await assert.rejects(
      asking.ask("add", -1),
      (error) => error instanceof DeniedError && /negative/.test(error.message),
    );
    await assert.rejects(asking.ask("add", 0), { name: "Error", message: "plain" });
    assert.equal(asking.waiting, 0);
  });

  test("fails what waits when the other end is gone, and what is asked then", async () => {
    const { asking } = pair(() => new Promise<number>(() => {}));
    const asked = asking.ask("add", 1);
    asking.close();
    await assert.rejects(asked, UnavailableError);
    await assert.rejects(asking.ask("add", 1), UnavailableError);
  });
});

describe("the bus as a worker has it", () => {
  const answer = (headers: Record<string, string>, data: Uint8Array = new Uint8Array(), status = 0): BusAnswer => ({
    subject: "s",
    status,
    headers,
    data,
  });
  const made = (ask: () => Promise<BusAnswer>) => {
    const clock = new FakeClock();
    const bus = new RelayedBus({ name: "bus", subjects: new Subjects("mesh"), clock, connected: true, ask });
    const request = (signal?: AbortSignal): Promise<ReportAck> =>
      bus.request("s", ReportBatch, { sequence: 1 }, ReportAck, { timeoutMs: 100, ...(signal && { signal }) });
    return { clock, bus, request };
  };

  test("decodes a good answer, and throws what a bad one carries", async () => {
    const good = answer({ [TYPE_HEADER]: "ReportAck" }, ReportAck.encode({ replica: "m1", sequence: 1 }));
    assert.equal((await made(() => Promise.resolve(good)).request()).replica, "m1");
    const denied = answer({ [ERROR_CODE_HEADER]: "ERR_MESH_DENIED", [ERROR_TEXT_HEADER]: "not you" });
    await assert.rejects(made(() => Promise.resolve(denied)).request(), (error) => error instanceof DeniedError);
    await assert.rejects(made(() => Promise.resolve(answer({}, undefined, 408))).request(), TimeoutError);
    await assert.rejects(made(() => Promise.reject(new UnavailableError("gone"))).request(), UnavailableError);
  });

  test("keeps time itself, and does not ask while the bus is away", async () => {
    const { clock, bus, request } = made(() => new Promise(() => {}));
    const late = request();
    clock.advance(100);
    await assert.rejects(late, TimeoutError);
    const abort = new AbortController();
    const dropped = request(abort.signal);
    abort.abort(new Error("not wanted any more"));
    await assert.rejects(dropped, /not wanted/);
    bus.connected = false;
    await assert.rejects(request(), UnavailableError);
  });
});

describe("tables as a worker has them", () => {
  test("follow a key once for all users, and take what is told of it", async () => {
    const told: WorkerNotice[] = [];
    const clock = new FakeClock();
    const relayed = new RelayedTables((notice) => told.push(notice), clock, silentLog);
    const [first, second] = [relayed.tables.service.follow("a.b"), relayed.tables.service.follow("a.b")];
    assert.equal(first, second);
    assert.deepEqual(told, [{ type: "follow", id: 1, table: "service", key: "a.b" }]);
    assert.equal(first.state, "loading");
    const ready = first.ready(100);
    let changes = 0;
    first.onChange(() => changes++);
    relayed.update({ id: 1, state: "present", epoch: 3, sequence: 4, value: Uint8Array.of(1) });
    relayed.update({ id: 9, state: "absent", epoch: 3, sequence: 5, value: undefined });
    await ready;
    assert.equal(changes, 1);
    assert.deepEqual([first.state, first.epoch, first.sequence, first.value], ["present", 3, 4, Uint8Array.of(1)]);
    first.setApplied({ epoch: 3, sequence: 4, revision: 1 });
    assert.deepEqual(told.at(-1), { type: "applied", id: 1, applied: { epoch: 3, sequence: 4, revision: 1 } });
    first.close();
    assert.equal(relayed.tables.service.get("a.b"), second);
    second.close();
    assert.deepEqual(told.at(-1), { type: "unfollow", id: 1 });
    assert.equal(relayed.tables.service.get("a.b"), undefined);
    const again = relayed.tables.service.follow("a.b");
    relayed.update({ id: 1, state: "present", epoch: 3, sequence: 4, value: Uint8Array.of(1) });
    assert.equal(again.state, "loading", "news for the one before is no news for this one");
    const never = again.ready(100);
    clock.advance(100);
    await assert.rejects(never, TimeoutError);
  });
});

describe("what several workers show", () => {
  const host = (instance: string, change: Partial<HostView> = {}): HostView => ({
    instance,
    address: "10.0.0.1",
    ports: { 9080: 15006 },
    labels: {},
    locality: "",
    transport: "mutual_tls",
    weight: 1,
    healthy: true,
    health_flags: [],
    active_requests: 1,
    connections: 2,
    ...change,
  });
  const cluster = (...host_statuses: HostView[]): ClusterView => ({
    name: "reviews",
    policy: "",
    load_balancing: "RANDOM",
    circuit_breakers: { max_connections: 5 },
    host_statuses,
  });

  test("is added up, and a host is as bad as any finds it", () => {
    const failed = { healthy: false, health_flags: ["failed_outlier_check"], active_requests: 4 };
    const merged = mergedClusters([
      [cluster(host("a"), host("b"))],
      [cluster(host("a", failed)), { ...cluster(), name: "ratings" }],
    ]);
    assert.deepEqual(merged, [
      {
        ...cluster(host("a", { ...failed, active_requests: 5, connections: 4 }), host("b")),
        circuit_breakers: { max_connections: 10 },
      },
      { ...cluster(), name: "ratings" },
    ]);
    const listener = (name: string, connections: number) => ({
      name,
      local_address: { socket_address: { address: "127.0.0.1", port_value: 1 } },
      connections,
    });
    assert.deepEqual(mergedListeners([[listener("inbound", 1)], [listener("inbound", 2), listener("outbound", 3)]]), [
      listener("inbound", 3),
      listener("outbound", 3),
    ]);
  });

  test("has every service that any of them was asked for", () => {
    const service = (name: string, revision?: number): ServiceView => ({
      service: name,
      state: revision === undefined ? "loading" : "present",
      applied: { epoch: 1, sequence: 1, revision: revision ?? 0 },
      config: revision === undefined ? null : ServiceConfig.decode(ServiceConfig.encode({ revision })),
    });
    const merged = mergedServices([[service("a"), service("b", 2)], [service("a", 1)], [service("c", 3)]]);
    assert.deepEqual(merged, [service("a", 1), service("b", 2), service("c", 3)]);
  });

  test("has of every service the newest routes", () => {
    const routes = (name: string, revision: number) => ({ name, host: name, ports: {}, revision, routes: [] });
    assert.deepEqual(mergedRoutes([[routes("a", 1)], [routes("a", 2), routes("b", 1)], [routes("a", 1)]]), [
      routes("a", 2),
      routes("b", 1),
    ]);
  });

  const counted = (requests: number): RequestStats => {
    const stats = new RequestStats();
    const head = { method: "GET", authority: "a", scheme: "http", path: "/", headers: new HeaderList() } as const;
    for (let i = 0; i < requests; i++) {
      const record = new RequestRecord("outbound", head, UNKNOWN_PEER, UNKNOWN_PEER, true);
      stats.count(Object.assign(record, { status: 200, durationMs: 7 }));
    }
    return stats;
  };

  test("are the sums of their series, like those of one process", () => {
    const [one, other, whole] = [counted(2), counted(3), counted(5)];
    const merged = new RequestStats();
    for (const stats of [one, other]) merged.add(structuredClone(stats.figures()));
    assert.equal(merged.text(), whole.text());
  });

  test("keeps the counters of a worker that is gone, not its gauges", async () => {
    const worker = async (checks: number) => {
      const metrics = new Metrics("proxy");
      metrics.counter("checks_total", "Checks.", ["source"]).inc({ source: "mixer" }, checks);
      metrics.histogram("time_ms", "Time.", [], [1, 10]).observe(5);
      metrics.gauge("waiting", "Waiting.").set(7);
      return structuredClone({
        requests: counted(checks).figures(),
        metrics: await metrics.registry.getMetricsAsJSON(),
      });
    };
    const retired = new RetiredFigures();
    retired.add(await worker(2));
    retired.add(await worker(3));
    const live = await worker(1);
    const page = await mergedMetrics([retired.metrics, live.metrics]).metrics();
    assert.match(page, /^mesh_proxy_checks_total\{source="mixer"\} 6$/m);
    assert.match(page, /^mesh_proxy_time_ms_count 3$/m);
    assert.match(page, /^mesh_proxy_time_ms_bucket\{le="10"\} 3$/m);
    assert.match(page, /^mesh_proxy_waiting 7$/m);
    const stats = new RequestStats();
    stats.add([...retired.requests, ...live.requests]);
    assert.match(stats.text(), /^istio_requests_total\{.*\} 6$/m);
  });
});
