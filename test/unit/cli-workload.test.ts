import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseProxyConfig } from "../../services/proxy/config.ts";
import { runLateen } from "../harness/cli.ts";

const GROUP = `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: ratings-vm, namespace: shop}
spec:
  metadata: {labels: {app: ratings}}
  template:
    labels: {version: v2}
    serviceAccount: ratings
    locality: eu/a
    weight: 3
    ports: {http: 9080, web: 9081, grpc: 9090}
  probe: {periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 4, successThreshold: 2, httpGet: {path: /ready, port: 8080}}
`;

const configure = (text: string, ...args: readonly string[]) =>
  runLateen(["workload", "configure", "-f", "-", ...args], { stdin: text });

describe("workload configure", () => {
  test("writes what a proxy is started with", async () => {
    const { code, out, err } = await configure(GROUP, "--instance", "vm-7", "--address", "10.0.0.7");
    assert.equal(code, 0, err);
    assert.match(err, /port 9090 \(grpc\) is left out/);
    const env = Object.fromEntries(
      out
        .trim()
        .split("\n")
        .map((line) => line.split(/=(.*)/s).slice(0, 2)),
    );
    const config = parseProxyConfig(env, []);
    assert.equal(config.namespace, "shop");
    assert.equal(config.serviceAccount, "ratings");
    assert.equal(config.service, "ratings");
    assert.equal(config.instance, "vm-7");
    assert.equal(config.address, "10.0.0.7");
    assert.deepEqual(config.labels, { app: "ratings", version: "v2" });
    assert.equal(config.locality, "eu/a");
    assert.equal(config.weight, 3);
    assert.deepEqual(
      config.ports.map(({ number, port }) => [number, port]),
      [
        [9080, 9080],
        [9081, 9081],
      ],
    );
    assert.equal(config.healthUrl, "http://127.0.0.1:8080/ready");
    assert.deepEqual(
      [config.healthPeriodMs, config.healthTimeoutMs, config.healthFailures, config.healthSuccesses],
      [5000, 2000, 4, 2],
    );
  });

  test("asks by TCP and gRPC too", async () => {
    const probed = async (probe: string) =>
      JSON.parse((await configure(GROUP.replace(/probe:.*/, `probe: {${probe}}`), "-o", "json")).out) as object;
    assert.equal((await probed("tcpSocket: {port: 1}"))["HEALTH_URL" as never], "tcp://127.0.0.1:1");
    assert.equal((await probed("grpc: {port: 2, service: shop}"))["HEALTH_URL" as never], "grpc://127.0.0.1:2/shop");
  });

  test("says what is missing", async () => {
    const nameless = await configure(GROUP.replace("{app: ratings}", "{}"));
    assert.equal(nameless.code, 2);
    assert.match(nameless.err, /say with --service/);
    assert.match((await configure(GROUP, "other")).err, /no WorkloadGroup other/);
    assert.match((await configure(`${GROUP}---${GROUP.replace("ratings-vm", "b")}`)).err, /several WorkloadGroups/);
    assert.match((await configure(GROUP.replace("9080", "0"))).err, /spec\.template\.ports\.http/);
  });
});
