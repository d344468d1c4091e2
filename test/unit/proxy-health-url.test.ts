import assert from "node:assert/strict";
import { test } from "node:test";
import { grpcHealthPath, grpcServiceOf } from "../../services/proxy/cluster/grpc-health-path.ts";
import { parseProxyConfig } from "../../services/proxy/config.ts";
import { parseHealthUrl } from "../../services/proxy/health-question.ts";

test("a health URL is one of four kinds, or left out", () => {
  const good = [
    "http://a/health",
    "https://a:8443/x?y",
    "tcp://127.0.0.1:80",
    "tcp://[::1]:80",
    "grpc://a:1",
    "grpc://a:1/s",
  ];
  for (const url of good) assert.ok(parseHealthUrl(url), url);
  assert.equal(parseHealthUrl(""), undefined);
  const bad = [
    "a",
    "/health",
    "127.0.0.1:80",
    "ftp://a:21",
    "tcp://a",
    "tcp://a:80/path",
    "grpc://a/s",
    "grpc://a:1/%zz",
    "tcp://:80",
  ];
  for (const url of bad) assert.throws(() => parseHealthUrl(url), /use http:/, url);
});

test("a proxy does not start with a health URL that it cannot ask", () => {
  const env = { NATS_URL: "nats://n", MESH_SERVICE: "s", MESH_INSTANCE: "i", HEALTH_URL: "localhost/health" };
  assert.throws(() => parseProxyConfig(env, []), /HEALTH_URL.*grpc:\/\/host:port\/service/s);
  assert.equal(parseProxyConfig({ ...env, HEALTH_URL: "tcp://a:1" }, []).healthUrl, "tcp://a:1");
});

test("a sidecar reads from the path which service it is asked for", () => {
  for (const service of ["", "my.Service", "a/b c%?#"]) assert.equal(grpcServiceOf(grpcHealthPath(service)), service);
  for (const path of ["/", "/other", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Check/%zz"]) {
    assert.equal(grpcServiceOf(path), undefined, path);
  }
});
