import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { redacted } from "../../services/proxy/admin/redact.ts";
import { StatsPage } from "../../services/proxy/admin/stats-page.ts";
import type { PlaneViewName, PlaneViews } from "../../services/proxy/plane/data-plane.ts";
import { RequestStats } from "../../services/proxy/request-stats.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { type Peer, RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { Metrics } from "../../shared/obs/index.ts";

const caller: Peer = { ...UNKNOWN_PEER, workload: "caller-v1", namespace: "default" };
const reviews: Peer = { ...UNKNOWN_PEER, service: "reviews", host: "reviews.default.svc.cluster.local" };

function record(destination: Peer, status = 200): RequestRecord {
  const head = { method: "GET", authority: "a", scheme: "http", path: "/", headers: new HeaderList() } as const;
  const made = new RequestRecord("outbound", head, caller, destination, true);
  made.status = status;
  return made;
}

/** Values of the lines of one name that have all of these labels. */
function values(page: string, name: string, ...labels: string[]): number[] {
  const lines = page.split("\n").filter((line) => line.startsWith(`${name}{`));
  return lines
    .filter((line) => labels.every((label) => line.includes(label)))
    .map((line) => Number(line.slice(line.lastIndexOf(" "))));
}

describe("the metrics of requests", () => {
  test("count each pair, code and flags, whichever objects stand for the same pair", () => {
    const stats = new RequestStats();
    stats.count(record(reviews));
    stats.count(record({ ...reviews }));
    stats.count(record(reviews, 503));
    const failed = record(reviews, 503);
    failed.addFlag("UH");
    stats.count(failed);
    const page = stats.text();
    assert.deepEqual(values(page, "istio_requests_total", 'response_code="200"'), [2]);
    assert.deepEqual(values(page, "istio_requests_total", 'response_code="503"', 'response_flags="-"'), [1]);
    assert.deepEqual(values(page, "istio_requests_total", 'response_code="503"', 'response_flags="UH"'), [1]);
  });

  test("measure time and sizes in buckets that add up", () => {
    const stats = new RequestStats();
    for (const [durationMs, bytesSent] of [
      [0.4, 0],
      [7, 2_000],
      [9_999_999, 9_999_999],
    ] as const) {
      stats.count(Object.assign(record(reviews), { durationMs, bytesSent }));
    }
    const page = stats.text();
    const buckets = values(page, "istio_request_duration_milliseconds_bucket");
    assert.equal(buckets.length, 20);
    assert.deepEqual(buckets.slice(0, 4), [1, 1, 1, 2]);
    assert.deepEqual(buckets.slice(-2), [2, 3]);
    assert.deepEqual(values(page, "istio_request_duration_milliseconds_sum"), [9_999_999 + 7.4]);
    assert.deepEqual(values(page, "istio_response_bytes_bucket", 'le="2500"'), [2]);
    assert.deepEqual(values(page, "istio_response_bytes_count"), [3]);
  });

  test("are bounded: neither services without end nor names of hosts outside become labels", () => {
    const stats = new RequestStats();
    for (let i = 0; i < 1_500; i++) stats.count(record({ ...reviews, service: `s${i}`, host: `s${i}.svc` }));
    const page = stats.text();
    const series = values(page, "istio_requests_total");
    assert.equal(series.length, 1_001);
    assert.equal(series.at(-1), 500);
    assert.match(page, /^istio_requests_total\{reporter="source"\} 500$/m);
    const outside = new RequestStats();
    for (let i = 0; i < 10; i++) {
      outside.count(Object.assign(record({ ...UNKNOWN_PEER, host: `h${i}.example` }), { route: "passthrough" }));
    }
    assert.deepEqual(
      values(outside.text(), "istio_requests_total", 'destination_service_name="PassthroughCluster"'),
      [10],
    );
    assert.ok(!outside.text().includes("example"));
  });

  test("of several processes show every series of each, whoever is asked first", async () => {
    const processes = ["a", "b"].map((prefix) => {
      const stats = new RequestStats();
      for (let n = 0; n < 700; n++) stats.count(record({ ...reviews, workload: `${prefix}${n}` }));
      return stats.figures();
    });
    for (const order of [processes, processes.toReversed()]) {
      const show = async <N extends PlaneViewName>(name: N): Promise<PlaneViews[N]> => {
        const views: Partial<PlaneViews> = { figures: { requests: order.flat(), processes: [] } };
        return views[name] as PlaneViews[N];
      };
      const page = await new StatsPage(new Metrics("proxy"), { show }).prometheus();
      assert.equal(values(page, "istio_requests_total").length, 1_400);
    }
  });

  test("take what a peer says of itself as text, and not too much of it", () => {
    const stats = new RequestStats();
    stats.count(record({ ...reviews, workload: `a"b\\c\n${"x".repeat(1_000)}` }));
    const [, workload = ""] = /destination_workload="((?:[^"\\]|\\.)*)"/.exec(stats.text()) ?? [];
    assert.ok(workload.startsWith('a\\"b\\\\c\\nxxx'));
    assert.ok(workload.length < 140);
  });
});

test("what is shown of settings has no secrets", () => {
  assert.deepEqual(
    redacted({
      natsPassword: "s3cret",
      natsUrl: "nats://user:s3cret@bus:4222,nats://bus2:4222",
      redisUrl: "redis://user:p@ss@bus",
      natsUser: "w",
      apiToken: "",
      nested: [{ keyPem: "s3cret" }],
      monkey: "shown",
      ports: [1],
    }),
    {
      natsPassword: "[redacted]",
      natsUrl: "nats://[redacted]@bus:4222,nats://bus2:4222",
      redisUrl: "redis://[redacted]@bus",
      natsUser: "w",
      apiToken: "",
      nested: [{ keyPem: "[redacted]" }],
      monkey: "shown",
      ports: [1],
    },
  );
});
