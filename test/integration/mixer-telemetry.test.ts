import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { MetricRow } from "../../services/mixer/adapters/bus.ts";
import type { Input, ReportBatch } from "../../shared/wire/index.ts";
import { eventually } from "../harness/index.ts";
import { MixerMesh } from "./mixer-mesh.ts";

const TELEMETRY = `
kind: bus
metadata: {name: handler, namespace: istio-system}
spec: {}
---
kind: prometheus
metadata: {name: handler, namespace: istio-system}
spec:
  metrics:
    - {name: request_count, instance_name: requestcount.metric.istio-system, kind: COUNTER, label_names: [destination_service, response_code]}
    - name: request_duration
      instance_name: requestduration.metric.istio-system
      kind: DISTRIBUTION
      label_names: [response_code]
      buckets: {explicit_buckets: {bounds: [0.005, 0.1]}}
---
kind: metric
metadata: {name: requestcount, namespace: istio-system}
spec:
  value: "1"
  dimensions: {destination_service: destination.service | "unknown", response_code: response.code | 200}
---
kind: metric
metadata: {name: requestduration, namespace: istio-system}
spec: {value: response.duration | "0ms", dimensions: {response_code: response.code | 200}}
---
kind: logentry
metadata: {name: accesslog, namespace: istio-system}
spec: {severity: '"Default"', timestamp: request.time, variables: {url: request.path | "", latency: response.duration | "0ms"}}
---
kind: rule
metadata: {name: all, namespace: istio-system}
spec:
  actions:
    - {handler: handler.bus, instances: [requestcount.metric, accesslog.logentry]}
    - {handler: handler.prometheus, instances: [requestcount.metric, requestduration.metric]}
`;

const WORDS = [
  "source.workload",
  "reviews-v2",
  "source.labels[version]",
  "v2",
  "source.namespace",
  "default",
  "source.principal",
  "spiffe://cluster.local/ns/default/sa/bookinfo-reviews",
  "destination.service",
  "ratings.default.svc.cluster.local",
  "destination.namespace",
  "elsewhere",
  "destination.workload",
  "ratings-v1",
  "destination.labels[version]",
  "v1",
  "response.code",
  "response.duration",
  "request.path",
  "/ratings/0",
  "request.time",
];
const at = (text: string): number => WORDS.indexOf(text);
const text = (name: string, value: string) => ({ name: at(name), string: at(value) });

const COMMON = [
  text("source.workload", "reviews-v2"),
  text("source.labels[version]", "v2"),
  text("source.namespace", "default"),
  text("source.principal", "spiffe://cluster.local/ns/default/sa/bookinfo-reviews"),
  text("destination.service", "ratings.default.svc.cluster.local"),
  text("destination.namespace", "elsewhere"),
  text("destination.workload", "ratings-v1"),
  text("destination.labels[version]", "v1"),
  { name: at("response.code"), int64: 200 },
];

function batch(sequence: number, more: Partial<Input<typeof ReportBatch>> = {}): Input<typeof ReportBatch> {
  return {
    bootId: "boot-1",
    sequence,
    dropped: 0,
    words: WORDS,
    rows: [
      {
        count: 7,
        timeMs: 1_700_000_000_000,
        attributes: COMMON,
        values: [{ name: at("response.duration"), sum: 70, count: 7, bounds: [5, 100], buckets: [3, 4, 0] }],
      },
      {
        each: true,
        count: 1,
        timeMs: 1_700_000_000_000,
        attributes: [
          ...COMMON,
          text("request.path", "/ratings/0"),
          { name: at("request.time"), timestampMs: 1_700_000_000_000 },
          { name: at("response.duration"), durationMs: 6.848 },
        ],
      },
    ],
    ...more,
  };
}

describe("reports", () => {
  let mesh: MixerMesh;
  let ports: number[];
  const metrics: MetricRow[] = [];
  const logs: Record<string, unknown>[] = [];
  before(async () => {
    mesh = await MixerMesh.start();
    await mesh.apply(TELEMETRY);
    await mesh.addService("default", "ratings");
    ports = (await Promise.all([mesh.startMixer("m1"), mesh.startMixer("m2")])).map(({ metricsPort }) => metricsPort);
    const operator = await mesh.nats.connect("operator");
    operator.subscribe(mesh.nats.subjects.telemetry("metric", "default", "ratings"), (message) => {
      metrics.push(JSON.parse(message.text()) as MetricRow);
    });
    operator.subscribe(mesh.nats.subjects.telemetry("log", "default", "ratings"), (message) => {
      logs.push(JSON.parse(message.text()) as Record<string, unknown>);
    });
    await operator.flush();
  });
  after(() => mesh.stop());

  const scrape = async (): Promise<string[]> =>
    (await Promise.all(ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text())))
      .flatMap((page) => page.split("\n"))
      .filter((line) => line.startsWith("istio_"));

  test("become rows of the telemetry stream and Prometheus metrics, with the identity of the subject", async () => {
    const ack = await mesh.report(batch(1));
    assert.ok(["m1", "m2"].includes(ack.replica));
    assert.equal(ack.sequence, 1);
    await eventually(() => metrics.length === 1 && logs.length === 1);
    assert.deepEqual(metrics[0], {
      time: "2023-11-14T22:13:20.000Z",
      instance: "requestcount.metric.istio-system",
      reporter: "destination",
      source: {
        namespace: "default",
        workload: "reviews-v2",
        version: "v2",
        principal: "spiffe://cluster.local/ns/default/sa/bookinfo-reviews",
      },
      destination: {
        namespace: "default",
        workload: "ratings-v1",
        version: "v1",
        principal: "spiffe://cluster.local/ns/default/sa/bookinfo-ratings",
        service: "ratings",
      },
      code: 200,
      count: 7,
      value: 7,
      dimensions: { destination_service: "ratings.default.svc.cluster.local", response_code: "200" },
    });
    assert.deepEqual(logs[0]?.["variables"], { url: "/ratings/0", latency: "6.848ms" });
    assert.deepEqual(await scrape(), [
      'istio_request_count{destination_service="ratings.default.svc.cluster.local",response_code="200"} 7',
      'istio_request_duration_bucket{response_code="200",le="0.005"} 3',
      'istio_request_duration_bucket{response_code="200",le="0.1"} 7',
      'istio_request_duration_bucket{response_code="200",le="+Inf"} 7',
      'istio_request_duration_sum{response_code="200"} 0.07',
      'istio_request_duration_count{response_code="200"} 7',
    ]);
  });

  test("that come again are acknowledged by the same replica and not counted again", async () => {
    metrics.length = 0;
    const first = await mesh.report(batch(2));
    const again = await mesh.report(batch(2), first.replica);
    assert.deepEqual([again.replica, again.sequence], [first.replica, 2]);
    const next = await mesh.report(batch(3), first.replica);
    assert.equal(next.sequence, 3);
    await eventually(() => metrics.length >= 2);
    assert.equal(metrics.length, 2);
  });

  test("of several processes of one proxy are told apart, in whatever order they come", async () => {
    metrics.length = 0;
    const first = await mesh.report(batch(20, { bootId: "one" }));
    for (const [sequence, bootId] of [
      [20, "other"],
      [20, "one"],
      [20, "other"],
      [21, "one"],
    ] as const) {
      await mesh.report(batch(sequence, { bootId }), first.replica);
    }
    await eventually(() => metrics.length >= 3);
    assert.equal(metrics.length, 3);
    await assert.rejects(mesh.report(batch(22, { bootId: "x".repeat(65) })), /boot id/);
  });

  test("that are malformed are refused whole", async () => {
    metrics.length = 0;
    await assert.rejects(mesh.report(batch(9, { words: WORDS.slice(0, 5) })), /word/);
    await mesh.report(batch(10));
    await eventually(() => metrics.length === 1);
  });

  test("of the client's side do not count twice where the destination reports itself", async () => {
    metrics.length = 0;
    const rows = [{ outbound: true, count: 5, timeMs: 1, attributes: COMMON }];
    await mesh.report(batch(11, { rows }));
    await mesh.report(batch(12));
    await eventually(() => metrics.length === 1);
    assert.equal(metrics[0]?.count, 7);
  });

  test("keep being counted when the handler's parameters change elsewhere", async () => {
    const countOf = async () =>
      (await scrape())
        .filter((line) => line.startsWith("istio_request_count"))
        .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    const before = await countOf();
    await mesh.apply(TELEMETRY.replace("name: request_duration", "description: changed\n      name: request_duration"));
    await eventually(async () => {
      const pages = await Promise.all(
        ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
      );
      return pages.every((page) => page.includes("# HELP istio_request_duration changed"));
    });
    assert.equal(await countOf(), before);
  });
});
