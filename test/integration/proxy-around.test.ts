import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type AppPorts, MeshError } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { exchange, RawClient } from "../harness/raw-client.ts";
import { SmallMesh } from "../harness/small-mesh.ts";

const CALLER = "spiffe://cluster.local/ns/default/sa/caller";
const SERVED = "spiffe://cluster.local/ns/default/sa/reviews";

const getThrough = (port: number, path: string, headers = ""): Promise<string> =>
  exchange(port, `GET ${path} HTTP/1.1\r\nHost: reviews:9080\r\n${headers}Connection: close\r\n\r\n`);

describe("around the requests of a mesh", () => {
  let mesh: SmallMesh;
  let application: Application;
  let caller: AppPorts;
  let served: AppPorts;
  let gateway: AppPorts;
  let operator: Bus;

  const admin = (ports: AppPorts, path: string, method = "GET"): Promise<Response> =>
    fetch(`http://127.0.0.1:${ports["admin"]}${path}`, { method });
  const log = (name: string): string => join(mesh.folder, `${name}.log`);
  const logged = async (name: string, path: string): Promise<Record<string, unknown>> =>
    eventually(async () => {
      const lines = (await readFile(log(name), "utf8")).split("\n").filter((line) => line.includes(path));
      return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
    });

  before(async () => {
    mesh = await SmallMesh.start(["caller", "reviews"]);
    application = await new Application(() => ({ body: "ok", headers: { "content-length": "2" } })).listen();
    [served, caller, gateway] = await Promise.all([
      mesh.sidecar("reviews", {
        MESH_PORTS: `9080:http=127.0.0.1:${application.port}`,
        ACCESS_LOG: log("reviews"),
      }),
      mesh.sidecar("caller", { ACCESS_LOG: log("caller"), TRACE_FORMATS: "w3c,b3multi", TRACE_SAMPLING: "100" }),
      mesh.gateway({ ACCESS_LOG: log("gateway"), ACCESS_LOG_FORMAT: "text" }),
    ]);
    operator = await mesh.operator();
    await mesh.apply({
      apiVersion: "config.istio.io/v1alpha2",
      kind: "IngressRule",
      metadata: { name: "reviews", namespace: "default" },
      spec: { destination: { name: "reviews" }, port: 80, match: { request: { headers: { uri: { prefix: "/" } } } } },
    });
    const answers = async (port: number | undefined): Promise<boolean> =>
      (await getThrough(port ?? 0, "/ready")).startsWith("HTTP/1.1 200");
    await eventually(() => answers(caller["outbound"]), { withinMs: 20_000 });
    await eventually(() => answers(gateway["gateway"]), { withinMs: 20_000 });
  });

  after(async () => {
    await mesh?.stop();
    await application?.close();
  });

  const receivedAt = (path: string) => application.received.find(({ url }) => url === path)?.headers ?? {};

  test("the application learns whose verified certificate a request came with", async () => {
    await getThrough(caller["outbound"] ?? 0, "/xfcc", "X-Forwarded-Client-Cert: By=spiffe://forged\r\n");
    assert.match(
      String(receivedAt("/xfcc")["x-forwarded-client-cert"]),
      new RegExp(`^By=${SERVED};Hash=[0-9a-f]{64};Subject=".*";URI=${CALLER}$`),
    );
  });

  test("a gateway says who called it, and believes nothing", async () => {
    const forged =
      "X-Forwarded-For: 10.1.1.1\r\nX-Request-Id: forged\r\nX-Forwarded-Client-Cert: By=spiffe://forged\r\n";
    await getThrough(gateway["gateway"] ?? 0, "/edge", `${forged}X-Envoy-Max-Retries: 5\r\n`);
    const headers = receivedAt("/edge");
    assert.equal(headers["x-forwarded-for"], "127.0.0.1");
    assert.notEqual(headers["x-request-id"], "forged");
    assert.equal(headers["x-envoy-max-retries"], undefined);
    assert.match(
      String(headers["x-forwarded-client-cert"]),
      /^By=spiffe:[^,]*URI=spiffe:\/\/cluster.local\/ns\/istio-system\/sa\/istio-ingress$/,
    );
  });

  test("a trace begins at the caller, and both of its formats reach the application as one", async () => {
    await getThrough(caller["outbound"] ?? 0, "/trace");
    const headers = receivedAt("/trace");
    const { "x-b3-traceid": traceId, "x-b3-spanid": spanId } = headers;
    assert.equal(headers["traceparent"], `00-${traceId}-${spanId}-01`);
    assert.equal(headers["x-b3-sampled"], "1");
  });

  test("the access log has Istio's fields on both sides", async () => {
    await getThrough(caller["outbound"] ?? 0, "/logged?a=1", "User-Agent: test\r\n");
    const out = await logged("caller", "/logged");
    const inbound = await logged("reviews", "/logged");
    assert.deepEqual(Object.keys(out).slice(0, 24), [
      "start_time",
      "route_name",
      "method",
      "path",
      "protocol",
      "response_code",
      "response_flags",
      "response_code_details",
      "connection_termination_details",
      "bytes_received",
      "bytes_sent",
      "duration",
      "upstream_service_time",
      "x_forwarded_for",
      "user_agent",
      "request_id",
      "authority",
      "upstream_host",
      "upstream_cluster",
      "upstream_transport_failure_reason",
      "upstream_local_address",
      "downstream_local_address",
      "downstream_remote_address",
      "requested_server_name",
    ]);
    assert.equal(out["response_code"], 200);
    assert.equal(out["response_code_details"], "via_upstream");
    assert.equal(out["response_flags"], "-");
    assert.equal(out["bytes_sent"], 2);
    assert.equal(out["user_agent"], "test");
    assert.equal(out["upstream_host"], `127.0.0.1:${served["inbound"]}`);
    assert.equal(out["downstream_local_address"], `127.0.0.1:${caller["outbound"]}`);
    assert.equal(out["upstream_peer_uri_san"], SERVED);
    assert.equal(inbound["direction"], "inbound");
    assert.equal(inbound["downstream_peer_uri_san"], CALLER);
    assert.equal(inbound["upstream_host"], `127.0.0.1:${application.port}`);
    assert.equal(inbound["request_id"], out["request_id"]);
    assert.equal(inbound["downstream_remote_address"], out["upstream_local_address"]);
  });

  test("the access log of a gateway has one line a request, in Istio's text form", async () => {
    await getThrough(gateway["gateway"] ?? 0, "/text", 'User-Agent: a "quoted" one\r\n');
    const line = await eventually(async () => {
      const lines = (await readFile(log("gateway"), "utf8")).split("\n").filter((each) => each.includes("/text"));
      assert.equal(lines.length, 1);
      return lines[0] ?? "";
    });
    assert.match(
      line,
      /^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] "GET \/text HTTP\/1\.1" 200 - via_upstream - "-" 0 2 \d+ \d+ "127\.0\.0\.1" "a \\"quoted\\" one" "[0-9a-f-]{36}" "reviews:9080" "127\.0\.0\.1:\d+" reviews\.default \S+ 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ - \S+$/,
    );
  });

  test("the access log has the path that was asked for, and the application learns of it, where a rule rewrites it", async () => {
    await mesh.apply({
      apiVersion: "config.istio.io/v1alpha2",
      kind: "RouteRule",
      metadata: { name: "rewritten", namespace: "default" },
      spec: {
        destination: { name: "reviews" },
        match: { request: { headers: { uri: { prefix: "/asked" } } } },
        rewrite: { uri: "/forwarded" },
      },
    });
    await eventually(async () => {
      await getThrough(caller["outbound"] ?? 0, "/asked/for?a=1");
      return application.received.some(({ url }) => url === "/forwarded/for?a=1");
    });
    assert.equal(receivedAt("/forwarded/for?a=1")["x-envoy-original-path"], "/asked/for?a=1");
    assert.equal((await logged("caller", "/asked/for"))["path"], "/asked/for?a=1");
    assert.equal((await logged("reviews", "/asked/for"))["path"], "/asked/for?a=1");
  });

  test("a proxy with more connections than it may have answers 503 until some have gone", async () => {
    const busy = await mesh.sidecar("caller", { MESH_INSTANCE: "caller-busy", OVERLOAD_CONNECTIONS: "4" });
    const port = busy["outbound"] ?? 0;
    const idle = await Promise.all(Array.from({ length: 5 }, () => RawClient.to(port)));
    await eventually(async () => /^HTTP\/1\.1 503 .*x-envoy-local-overloaded: true/s.test(await getThrough(port, "/")));
    for (const client of idle) client.close();
    await eventually(async () => (await getThrough(port, "/")).startsWith("HTTP/1.1 200"));
  });

  test("a request that cannot be read is answered, logged and counted with its reason", async () => {
    const answer = await exchange(caller["outbound"] ?? 0, "GET / HTTP/1.0\r\nHost: reviews\r\n\r\n");
    assert.match(answer, /^HTTP\/1\.1 426 /);
    const line = await logged("caller", "low_version");
    assert.equal(line["response_code"], 426);
    assert.equal(line["response_flags"], "DPE");
    const page = await (await admin(caller, "/stats/prometheus")).text();
    assert.match(
      page,
      /istio_requests_total\{.*response_code="426",grpc_response_status="",response_flags="DPE".*\} 1\n/,
    );
  });

  test("the metrics are Istio's, with its labels in its order", async () => {
    await getThrough(caller["outbound"] ?? 0, "/metrics");
    const page = await (await fetch(`http://127.0.0.1:${served["metrics"]}/stats/prometheus`)).text();
    const line = page.split("\n").find((each) => each.startsWith("istio_requests_total{") && each.includes(CALLER));
    assert.match(
      line ?? "",
      new RegExp(
        `^istio_requests_total\\{reporter="destination",source_workload="caller-v1",source_canonical_service="caller",source_canonical_revision="v1",source_workload_namespace="default",source_principal="${CALLER}",source_app="caller",source_version="v1",source_cluster="unknown",destination_workload="reviews-v1",destination_workload_namespace="default",destination_principal="${SERVED}",destination_app="reviews",destination_version="v1",destination_service="reviews\\.default\\.svc\\.cluster\\.local",destination_canonical_service="reviews",destination_canonical_revision="v1",destination_service_name="reviews",destination_service_namespace="default",destination_cluster="unknown",request_protocol="http",response_code="200",grpc_response_status="",response_flags="-",connection_security_policy="mutual_tls"\\} \\d+$`,
      ),
    );
    for (const name of ["request_duration_milliseconds", "request_bytes", "response_bytes"]) {
      assert.match(page, new RegExp(`\nistio_${name}_bucket\\{.*,le="\\+Inf"\\} \\d+\n`));
    }
  });

  test("the admin API shows what a proxy has and does, and no secrets", async () => {
    const json = async (path: string) => (await (await admin(served, path)).json()) as never;
    assert.equal(await (await admin(served, "/ready")).text(), "LIVE\n");
    const info = (await json("/server_info")) as { state: string; node: { id: string } };
    assert.equal(info.state, "LIVE");
    assert.equal(info.node.id, "reviews-1");
    const { certificates } = (await json("/certs")) as {
      certificates: {
        ca_cert: unknown[];
        cert_chain: { subject_alt_names: { uri: string }[]; days_until_expiration: number }[];
      }[];
    };
    assert.equal(certificates[0]?.ca_cert.length, 1);
    assert.deepEqual(certificates[0]?.cert_chain[0]?.subject_alt_names, [{ uri: SERVED }]);
    assert.equal(typeof certificates[0]?.cert_chain[0]?.days_until_expiration, "number");
    const lines = await (await admin(caller, "/clusters")).text();
    assert.match(lines, /^reviews\.default::127\.0\.0\.1:\d+::health_flags::healthy$/m);
    assert.match(lines, /^reviews\.default::127\.0\.0\.1:\d+::hostname::reviews-1$/m);
    assert.match(
      await (await admin(served, "/listeners")).text(),
      new RegExp(`^inbound::127\\.0\\.0\\.1:${served["inbound"]}$`, "m"),
    );
    const stats = await (await admin(served, "/stats?filter=^istio_requests_total&usedonly")).text();
    assert.match(stats, /^istio_requests_total\{.*\}: \d+\n/);
    assert.equal((await admin(served, "/stats?filter=(")).status, 400);
    const { stats: values } = (await json("/stats?format=json&filter=^istio_requests_total")) as {
      stats: Record<string, number>;
    };
    assert.ok(Object.values(values).every((value) => value > 0) && Object.keys(values).length > 0);
    const page = await admin(served, "/stats?format=prometheus");
    assert.match(page.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(await page.text(), /^# TYPE istio_requests_total counter$/m);
    assert.match(await (await admin(served, "/help")).text(), /^POST \/quitquitquit {2}/m);
    const dump = await (await admin(served, "/config_dump")).text();
    assert.match(dump, /"natsPassword":"\[redacted\]"/);
    for (const secret of [...mesh.nats.logins.map(({ password }) => password), "PRIVATE KEY"]) {
      assert.ok(!dump.includes(secret));
    }
    assert.deepEqual(Object.keys(await json("/config_dump?resource=services")), ["services"]);
    assert.equal((await admin(served, "/config_dump?resource=nothing")).status, 400);
  });

  test("what changes something takes POST", async () => {
    for (const path of ["/logging", "/healthcheck/fail", "/healthcheck/ok", "/drain_listeners", "/quitquitquit"]) {
      assert.equal((await admin(served, path)).status, 405);
    }
    assert.match(await (await admin(served, "/logging?level=warn", "POST")).text(), /proxy: warn/);
    assert.equal((await admin(served, "/logging?level=loud", "POST")).status, 400);
    assert.match(await (await admin(served, "/logging?level=error", "POST")).text(), /proxy: error/);
  });

  test("the same views are on the bus", async () => {
    const subject = operator.subjects.proxyDebug({
      namespace: "default",
      serviceAccount: "reviews",
      proxy: "reviews-1",
    });
    const ask = (view: unknown) => operator.requestJson(subject, { view } as object, { timeoutMs: 2_000 });
    for (const view of ["certs", "listeners"]) {
      assert.deepEqual(await ask(view), await (await admin(served, `/${view}?format=json`)).json());
    }
    const { bootstrap } = (await ask("config_dump")) as { bootstrap: Record<string, unknown> };
    assert.equal(bootstrap["natsPassword"], "[redacted]");
    const { stats } = (await ask("stats")) as { stats: Record<string, number> };
    assert.ok(Object.keys(stats).some((name) => name.startsWith("istio_requests_total{")));
    for (const wrong of ["toString", 7, null]) {
      await assert.rejects(
        ask(wrong),
        (error) => error instanceof MeshError && error.code === "ERR_MESH_INVALID_ARGUMENT",
      );
    }
    const text = operator.requestJson(subject, "not JSON", { timeoutMs: 2_000 });
    await assert.rejects(text, (error) => error instanceof MeshError && error.code === "ERR_MESH_INVALID_ARGUMENT");
  });

  test("a failed health check takes the instance out of its callers' choice, and back", async () => {
    const healthy = async (): Promise<boolean> =>
      /^reviews\.default::\S+::health_flags::healthy$/m.test(await (await admin(caller, "/clusters")).text());
    await admin(served, "/healthcheck/fail", "POST");
    assert.equal((await admin(served, "/ready")).status, 503);
    assert.equal((await fetch(`http://127.0.0.1:${served["health"]}/healthz/ready`)).status, 503);
    await eventually(async () => !(await healthy()));
    await admin(served, "/healthcheck/ok", "POST");
    await eventually(healthy);
    assert.equal((await admin(served, "/ready")).status, 200);
  });

  test("drained listeners take no connections, those that stay do", async () => {
    await admin(served, "/drain_listeners?inboundonly", "POST");
    await eventually(async () => !(await (await admin(served, "/listeners")).text()).includes("inbound"));
    await assert.rejects(exchange(served["inbound"] ?? 0, "x"), /ECONNREFUSED/);
    assert.match(await exchange(served["outbound"] ?? 0, "GET / HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 426 /);
    const answer = await getThrough(caller["outbound"] ?? 0, "/gone");
    assert.match(answer, /^HTTP\/1\.1 503 /);
    const line = await logged("caller", "/gone");
    assert.match(String(line["upstream_transport_failure_reason"]), /ECONNREFUSED/);
    assert.match(String(line["response_flags"]), /UF/);
  });
});
