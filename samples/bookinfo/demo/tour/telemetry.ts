import { MIXERS } from "../topology.ts";
import { versionByStars } from "./gateway-client.ts";
import { fetchMetrics, sumMetric } from "./mesh-client.ts";
import { expect, repeat, type TourContext, type TourStep, until } from "./step.ts";

/** Step 11: two independent books of the same traffic, the stream and Prometheus, balance with what a client saw. */

/** What this step reads of a `telemetry.metric` row. */
interface MetricRow {
  readonly instance: string;
  readonly reporter: "source" | "destination";
  readonly source: { readonly workload: string };
  readonly destination: { readonly service: string; readonly namespace: string };
  readonly code: number | string;
  readonly count: number;
}

type Counts = Map<string, number>;

const SERVICES = ["productpage", "details", "reviews", "ratings"];
/** Reports travel once a second; two silent periods mean that no row of earlier traffic is under way. */
const QUIET_MS = 2_500;

function add(counts: Counts, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function show(counts: Counts): string {
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, count]) => `${key} ${count}`)
    .join(", ");
}

/** Follows the stream and books requests per edge and code, as their destinations reported them. */
class StreamBook {
  counts: Counts = new Map();
  #lastRowAt = performance.now();
  readonly #subscription: { close(): void };

  constructor({ mesh }: TourContext) {
    const subject = mesh.bus.subjects.allTelemetry();
    this.#subscription = mesh.bus.subscribe(subject, (message) => {
      if (!message.subject.includes(".telemetry.metric.")) return;
      const row = JSON.parse(message.text()) as MetricRow;
      this.#lastRowAt = performance.now();
      if (!row.instance.startsWith("requestcount.") || row.reporter !== "destination") return;
      if (row.destination.namespace !== "default") return;
      add(this.counts, `${row.source.workload}->${row.destination.service} ${row.code}`, row.count);
    });
  }

  async quiet(): Promise<void> {
    await until("a quiet telemetry stream", async () => performance.now() - this.#lastRowAt > QUIET_MS || undefined);
  }

  close(): void {
    this.#subscription.close();
  }
}

/** `istio_request_count` over both Mixers, per destination and code. */
async function prometheusCounts({ processes }: TourContext): Promise<Counts> {
  const pages = await Promise.all(MIXERS.map((name) => fetchMetrics(processes.get(name).info.ports["metrics"] ?? 0)));
  const counts: Counts = new Map();
  for (const service of SERVICES) {
    const host = `${service}.default.svc.cluster.local`;
    for (const code of ["200", "400"]) {
      const sum = pages.reduce(
        (total, page) =>
          total +
          sumMetric(
            page,
            "istio_request_count",
            (labels) => labels["destination_service"] === host && labels["response_code"] === code,
          ),
        0,
      );
      if (sum > 0) counts.set(`${service} ${code}`, sum);
    }
  }
  return counts;
}

function difference(after: Counts, before: Counts): Counts {
  return new Map(
    [...after]
      .map(([key, count]): [string, number] => [key, count - (before.get(key) ?? 0)])
      .filter(([, count]) => count !== 0),
  );
}

/** Sums the edges of each destination and code. */
function perDestination(edges: Counts): Counts {
  const counts: Counts = new Map();
  for (const [edge, count] of edges) add(counts, edge.slice(edge.indexOf("->") + 2), count);
  return counts;
}

/** Sends pages, ratings and one kind of bad request; books what each must have caused inside the mesh. */
async function visit({ gateway }: TourContext): Promise<Counts> {
  const expected: Counts = new Map();
  for (const page of await repeat(60, 4, () => gateway.productPage())) {
    expect(page.status === 200, `a page answered ${page.status}`);
    add(expected, "istio-ingress->productpage 200", 1);
    add(expected, "productpage-v1->details 200", 1);
    add(expected, "productpage-v1->reviews 200", 1);
    const version = versionByStars(page.body);
    if (version !== "v1") add(expected, `reviews-${version}->ratings 200`, 1);
  }
  for (const { status } of await repeat(10, 4, () => gateway.get("/api/v1/products/0/ratings"))) {
    add(expected, `istio-ingress->productpage ${status}`, 1);
    add(expected, `productpage-v1->ratings ${status}`, 1);
  }
  for (const { status } of await repeat(10, 4, () => gateway.get("/api/v1/products/none"))) {
    expect(status === 400, `details of product "none" answered ${status}`);
    add(expected, `istio-ingress->productpage ${status}`, 1);
    add(expected, `productpage-v1->details ${status}`, 1);
  }
  return expected;
}

const accounts: TourStep = {
  title: "telemetry accounts for every request, Prometheus agrees",
  async run(context) {
    const stream = new StreamBook(context);
    try {
      await context.mesh.bus.flush();
      await stream.quiet();
      stream.counts = new Map();
      const before = await prometheusCounts(context);
      const expected = await visit(context);
      const total = (counts: Counts) => [...counts.values()].reduce((sum, count) => sum + count, 0);
      await until("a row for every request", async () => total(stream.counts) >= total(expected) || undefined).catch(
        () => {
          throw new Error(`expected ${show(expected)}; the stream has ${show(stream.counts)}`);
        },
      );
      await stream.quiet();
      expect(
        show(stream.counts) === show(expected),
        `expected ${show(expected)}; the stream has ${show(stream.counts)}`,
      );
      const scraped = difference(await prometheusCounts(context), before);
      const summed = perDestination(expected);
      expect(show(scraped) === show(summed), `expected ${show(summed)}; Prometheus has ${show(scraped)}`);
      return `${total(expected)} requests on ${expected.size} edges by code, stream and Prometheus equal: ${show(expected)}`;
    } finally {
      stream.close();
    }
  },
};

export const TELEMETRY_STEPS: readonly TourStep[] = [accounts];
