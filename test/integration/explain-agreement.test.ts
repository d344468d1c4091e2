import assert from "node:assert/strict";
import { type IncomingMessage, request } from "node:http";
import { after, before, describe, test } from "node:test";
import { explainRequest } from "../../cli/explain/explain.ts";
import type { Explanation } from "../../cli/explain/explanation.ts";
import { completeCaller } from "../../cli/explain/live-caller.ts";
import { LiveSource } from "../../cli/explain/live-source.ts";
import { parseRequest } from "../../cli/explain/request.ts";
import { waitApplied } from "../../cli/wait.ts";
import { ConfigClient } from "../../client/config-client.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { Random } from "../conformance/random.ts";
import { Application } from "../harness/application.ts";
import { SmallMesh } from "../harness/small-mesh.ts";
import { explainedRules } from "./explain-rules.ts";

/** What is explained must be what happens: generated requests go through running proxies, and each is explained beside it. */

const REQUESTS = 1_000;
const PORT = 9080;
const BACKENDS = [
  ["reviews", "v1"],
  ["reviews", "v2"],
  ["ratings", "v1"],
  ["ratings", "v2"],
  ["catalog", "v1"],
] as const;

const HOSTS = [
  "reviews",
  "ratings",
  "catalog",
  "reviews.default",
  "ratings.default.svc.cluster.local",
  "api.shop.test",
  "unknown.test",
];
const EDGE_HOSTS = ["shop.example", "big.shop.example", "a.b.shop.example", "other.example", "SHOP.example:80"];
const PATHS = [
  "/",
  "/reviews",
  "/reviews/0",
  "/reviews/top?x=1",
  "/REVIEWS/TOP/5",
  "/reviews/7?top=1",
  "/other?top=1&a=b",
  "/ratings/1",
  "/ratings/1?x",
  "/ratings/22",
  "/ratings",
  "/old/page?q=1",
  "/oldest",
];
const HEADERS = [
  "x-user: jason",
  "x-user: jack",
  "x-beta: 1",
  "cookie: user=jason",
  "cookie: a=b;user=jason;c=d",
  "x-secret: s",
];

type Way = "sidecar" | "guest" | "gateway";

interface Sent {
  readonly way: Way;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: readonly string[];
}

interface Seen {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

describe("an explanation agrees with the proxies", () => {
  let mesh: SmallMesh;
  let operator: Bus;
  const applications: Application[] = [];
  const ports = {} as Record<Way, number>;

  before(async () => {
    mesh = await SmallMesh.start(["productpage", "guest", "reviews", "ratings", "catalog"]);
    for (const [service, version] of BACKENDS) {
      const application = await new Application(({ url, headers }) => ({
        body: JSON.stringify({ service, version, url, host: headers.host, headers }),
      })).listen();
      applications.push(application);
      await mesh.sidecar(service, {
        MESH_INSTANCE: `${service}-${version}`,
        MESH_LABELS: `app=${service},version=${version}`,
        MESH_PORTS: `${PORT}:http=127.0.0.1:${application.port}`,
      });
    }
    const callers = await Promise.all([
      mesh.sidecar("productpage"),
      mesh.sidecar("guest", { MESH_LABELS: "app=guest,tier=free" }),
      mesh.gateway({ MESH_LABELS: "istio=ingressgateway" }),
    ]);
    ports.sidecar = callers[0]["outbound"] ?? 0;
    ports.guest = callers[1]["outbound"] ?? 0;
    ports.gateway = callers[2]["gateway"] ?? 0;
    operator = await mesh.operator();
    const outside = await new Application(({ url, headers }) => ({
      body: JSON.stringify({ service: "api.shop.test", version: "", url, host: headers.host, headers }),
    })).listen();
    applications.push(outside);
    const results = await new ConfigClient(operator).apply(explainedRules(outside.port));
    for (const { outcome, errors, name } of results)
      assert.notEqual(outcome, "rejected", JSON.stringify({ name, errors }));
    await waitApplied(operator, results, { timeoutMs: 30_000, signal: new AbortController().signal });
  });

  after(async () => {
    await mesh.stop();
    await Promise.all(applications.map((application) => application.close()));
  });

  test(`on ${REQUESTS} generated requests`, async (context) => {
    const random = new Random(20_180_329);
    const outcomes = new Map<string, number>();
    for (let i = 0; i < REQUESTS; i++) {
      const sent = generate(random);
      const [seen, explained] = await Promise.all([send(sent, ports[sent.way]), explain(sent, operator)]);
      const outcome = compare(sent, seen, explained);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    context.diagnostic([...outcomes].map(([outcome, count]) => `${outcome}: ${count}`).join(", "));
    // Every sort of rule has been met, or the comparison says little.
    for (const wanted of [
      "exact-path",
      "pattern",
      "429",
      "302",
      "rest",
      "insensitive",
      "jason",
      "402",
      "308",
      "authority",
      "shop",
      "shop-wildcard",
      "404",
      "api",
      "405",
      "502",
    ])
      assert.ok((outcomes.get(wanted) ?? 0) > 0, `no request met ${wanted}`);
  });
});

function generate(random: Random): Sent {
  const way = random.pick<Way>(["sidecar", "sidecar", "guest", "gateway"]);
  const host = way === "gateway" ? random.pick(EDGE_HOSTS) : random.pick(HOSTS);
  return {
    way,
    method: random.pick(["GET", "GET", "POST", "DELETE"]),
    host: way !== "gateway" && random.below(2) === 0 ? `${host}:${PORT}` : host,
    path: random.pick(PATHS),
    headers: HEADERS.filter(() => random.below(4) === 0).filter(
      (line, i, all) => all.findIndex((other) => other.split(":")[0] === line.split(":")[0]) === i,
    ),
  };
}

function send({ method, host, path, headers }: Sent, port: number): Promise<Seen> {
  const fields = Object.fromEntries(headers.map((line) => line.split(": ") as [string, string]));
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, method, path, headers: { ...fields, host }, agent: false });
    call.on("error", reject);
    call.on("response", (response: IncomingMessage) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, location: response.headers.location, body }),
      );
    });
    call.end();
  });
}

async function explain({ way, method, host, path, headers }: Sent, operator: Bus): Promise<Explanation> {
  const flags =
    way === "gateway"
      ? { gateway: "istio-system/istio-ingress" }
      : { from: `${way === "guest" ? "guest" : "productpage"}.default` };
  const parsed = parseRequest(method, `http://${host}${path}`, { header: headers, ...flags });
  const { request: completed } = await completeCaller(parsed, operator);
  return explainRequest(completed, { source: new LiveSource(operator) });
}

/** Returns in a word what happened. */
function compare(sent: Sent, seen: Seen, explained: Explanation): string {
  const both = JSON.stringify({ sent, seen, explained });
  const { answer, route, destinations } = explained;
  const abort = route?.fault?.abort;
  if (answer !== undefined || abort !== undefined) {
    assert.equal(seen.status, answer?.status ?? abort?.httpStatus, both);
    assert.equal(seen.location, answer?.location, both);
    return String(seen.status);
  }
  assert.equal(seen.status, 200, both);
  const got = JSON.parse(seen.body) as Record<string, string> & { headers: Record<string, string> };
  const possible = destinations.filter(({ service, labels, weight }) => {
    return weight > 0 && service === got["service"] && (labels["version"] ?? got["version"]) === got["version"];
  });
  assert.ok(possible.length > 0, both);
  assert.equal(got["url"], route?.rewrite?.path ?? sent.path, both);
  assert.equal(got["host"], route?.rewrite?.authority ?? sent.host, both);
  const edits = route?.requestHeaders;
  const rule = edits?.set["x-rule"] ?? edits?.add.find(({ name }) => name === "x-rule")?.value;
  assert.equal(got.headers["x-rule"], rule, both);
  for (const name of edits?.remove ?? []) assert.equal(got.headers[name], undefined, both);
  return rule ?? explained.rule;
}
