import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MetricItem } from "../../services/mixer/adapters/adapter.ts";
import { MetricPool } from "../../services/mixer/adapters/metric-pool.ts";
import { PrometheusHandler } from "../../services/mixer/adapters/prometheus.ts";
import { type PrometheusMetricParams, prometheusName } from "../../shared/policy/index.ts";
import { ROW } from "./mixer-config.ts";

const COUNT: PrometheusMetricParams = {
  name: "request_count",
  instanceName: "requestcount.metric.istio-system",
  description: "",
  kind: "COUNTER",
  bounds: undefined,
  labelNames: ["destination", "code"],
};
const DURATION: PrometheusMetricParams = {
  ...COUNT,
  name: "request_duration",
  instanceName: "requestduration.metric.istio-system",
  kind: "DISTRIBUTION",
  bounds: [0.005, 0.07, 1],
  labelNames: [],
};

function item(instance: string, sample: MetricItem["sample"], code = 200): MetricItem {
  return {
    template: "metric",
    instance,
    timeMs: 0,
    sample,
    dimensions: new Map([
      ["destination", { type: "STRING", value: "ratings" } as const],
      ["code", { type: "INT64", value: code } as const],
    ]),
    row: ROW,
  };
}

describe("the prometheus adapter", () => {
  test("names metrics as Istio does", () => {
    assert.equal(prometheusName({ name: "request_count", instanceName: "x" }), "istio_request_count");
    assert.equal(prometheusName({ name: "", instanceName: "/my-count.metric.a b" }), "istio_mycount_metric_a_b");
  });

  test("adds whole rows to a counter, per label set", async () => {
    const pool = new MetricPool();
    const handler = new PrometheusHandler("h", { metrics: [COUNT] }, pool, () => {});
    handler.report([item(COUNT.instanceName, { value: { type: "INT64", value: 1 }, count: 5, sum: 5 })]);
    handler.report([item(COUNT.instanceName, { value: { type: "INT64", value: 1 }, count: 2, sum: 2 }, 500)]);
    handler.report([item(COUNT.instanceName, { value: { type: "INT64", value: 1 }, count: 1, sum: 1 })]);
    assert.equal(
      await pool.registry.metrics(),
      [
        "# HELP istio_request_count request_count",
        "# TYPE istio_request_count counter",
        'istio_request_count{destination="ratings",code="200"} 6',
        'istio_request_count{destination="ratings",code="500"} 2',
        "",
      ].join("\n"),
    );
  });

  test("takes histograms in milliseconds into buckets in seconds", async () => {
    const pool = new MetricPool();
    const handler = new PrometheusHandler("h", { metrics: [DURATION] }, pool, () => {});
    const histogram = { bounds: [5, 20, 70, 1000], counts: [1, 2, 3, 4, 1] };
    handler.report([
      item(DURATION.instanceName, { value: { type: "DURATION", value: 100 }, count: 11, sum: 4200, histogram }),
    ]);
    handler.report([item(DURATION.instanceName, { value: { type: "DURATION", value: 5 }, count: 1, sum: 5 })]);
    assert.equal(
      await pool.registry.metrics(),
      [
        "# HELP istio_request_duration request_duration",
        "# TYPE istio_request_duration histogram",
        'istio_request_duration_bucket{le="0.005"} 2',
        'istio_request_duration_bucket{le="0.07"} 7',
        'istio_request_duration_bucket{le="1"} 11',
        'istio_request_duration_bucket{le="+Inf"} 12',
        "istio_request_duration_sum 4.205",
        "istio_request_duration_count 12",
        "",
      ].join("\n"),
    );
  });

  test("bounds its label sets and tells what it dropped", async () => {
    const pool = new MetricPool(2);
    let dropped = 0;
    const handler = new PrometheusHandler("h", { metrics: [COUNT] }, pool, (_metric, requests) => {
      dropped += requests;
    });
    for (const code of [1, 2, 3, 4, 1]) {
      handler.report([item(COUNT.instanceName, { value: { type: "INT64", value: 1 }, count: 2, sum: 2 }, code)]);
    }
    assert.equal(dropped, 4);
    assert.match(await pool.registry.metrics(), /code="1"} 4\n.*code="2"} 2\n$/);
  });

  test("keeps the counts of metrics that a new handler defines alike, and starts changed ones anew", async () => {
    const pool = new MetricPool();
    const first = new PrometheusHandler("h", { metrics: [COUNT, DURATION] }, pool, () => {});
    const sample = { value: { type: "INT64", value: 1 }, count: 1, sum: 1 } as const;
    first.report([item(COUNT.instanceName, sample), item(DURATION.instanceName, sample)]);
    const second = new PrometheusHandler("h", { metrics: [COUNT, { ...DURATION, bounds: [9] }] }, pool, () => {});
    first.close();
    second.report([item(COUNT.instanceName, sample), item(DURATION.instanceName, sample)]);
    const text = await pool.registry.metrics();
    assert.match(text, /istio_request_count\{.*\} 2\n/);
    assert.match(text, /istio_request_duration_bucket\{le="9"\} 1\n/);
    second.close();
    assert.equal((await pool.registry.metrics()).trim(), "");
  });

  test("refuses to define a metric otherwise than another handler does", () => {
    const pool = new MetricPool();
    const first = new PrometheusHandler("h", { metrics: [COUNT] }, pool, () => {});
    assert.throws(
      () => new PrometheusHandler("other", { metrics: [{ ...COUNT, labelNames: [] }] }, pool, () => {}),
      /defined otherwise by h/,
    );
    first.close();
  });
});
