import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseProxyConfig } from "../../services/proxy/config.ts";
import { limitsInForce, type MeshSettings, observationInForce } from "../../services/proxy/mesh-settings.ts";
import { type MeshDefaultsInput, type SidecarScopeInput, WorkloadConfig } from "../../shared/wire/index.ts";

const OWN = { MESH_SERVICE: "caller", MESH_INSTANCE: "caller-1" };

function settingsInForce(
  start: Parameters<typeof limitsInForce>[0],
  told: Parameters<typeof limitsInForce>[1],
  before?: MeshSettings,
): MeshSettings {
  return { ...limitsInForce(start, told, before), ...observationInForce(start, told) };
}

function inForce(mesh?: MeshDefaultsInput, sidecar?: SidecarScopeInput, env: Record<string, string> = {}) {
  const message = { ...(mesh && { mesh }), ...(sidecar && { sidecars: [sidecar] }) };
  const told = WorkloadConfig.decode(WorkloadConfig.encode(message));
  const start = parseProxyConfig({ ...OWN, ...env }, []);
  return settingsInForce(start, { mesh: told.mesh ?? undefined, scope: told.sidecars[0] });
}

describe("settings that the mesh may change", () => {
  test("are those of the start while nobody says otherwise", () => {
    const settings = inForce(undefined, undefined, {
      OUTBOUND_TRAFFIC_POLICY: "REGISTRY_ONLY",
      ACCESS_LOG: "stderr",
      TRACE_SAMPLING: "5",
    });
    assert.deepEqual([settings.outboundPolicy, settings.outboundPolicyFrom], ["REGISTRY_ONLY", "start"]);
    assert.deepEqual(settings.accessLog, { file: "stderr", encoding: "json", format: "" });
    assert.deepEqual(settings.tracing, { formats: ["w3c"], samplingPercent: 5 });
    assert.equal(settings.scope, undefined);
  });

  test("the mesh has the word over the start, and the scope over the mesh", () => {
    const mesh = { outboundTrafficPolicy: "REGISTRY_ONLY" };
    assert.equal(inForce(mesh).outboundPolicy, "REGISTRY_ONLY");
    const scoped = inForce(mesh, { outboundTrafficPolicy: "ALLOW_ANY" });
    assert.deepEqual([scoped.outboundPolicy, scoped.outboundPolicyFrom], ["ALLOW_ANY", "scope"]);
    assert.equal(scoped.scope, undefined, "a scope without hosts limits nothing");
  });

  test("what the mesh does not set stays as it was started", () => {
    const settings = inForce({ accessLogFile: "/var/log/mesh/all.log" }, undefined, {
      ACCESS_LOG: "stderr",
      ACCESS_LOG_DIR: "/var/log/mesh/",
      ACCESS_LOG_FORMAT: "text",
    });
    assert.deepEqual(settings.accessLog, { file: "/var/log/mesh/all.log", encoding: "text", format: "" });
    assert.deepEqual([settings.accessLogFrom, settings.tracingFrom], ["mesh", "start"]);
  });

  test("the mesh names no file outside of the folder that the proxy was started with", () => {
    const within = (file: string, dir = "/var/log/mesh") =>
      inForce({ accessLogFile: file }, undefined, { ACCESS_LOG: "/own/access.log", ACCESS_LOG_DIR: dir });
    for (const file of [
      "/etc/cron.d/job",
      "/var/log/mesh",
      "/var/log/mesh/",
      "/var/log/mesh/../auth.log",
      "/var/log/mesh/a//b",
      "/var/log/meshes/a",
      "mesh.log",
      "constructor",
    ]) {
      assert.throws(() => within(file), /ACCESS_LOG_DIR of this proxy/, file);
      assert.throws(() => within(file, ""), /started without ACCESS_LOG_DIR/, file);
    }
    for (const file of ["/dev/stdout", "/dev/stderr", "stdout", "/own/access.log", ""])
      assert.equal(within(file, "").accessLog.file, file);
    assert.equal(within("/var/log/mesh/a/b.log").accessLog.file, "/var/log/mesh/a/b.log");
    assert.equal(within("/a.log", "/").accessLog.file, "/a.log");
  });

  test("a format is of text unless it is said to be of JSON", () => {
    assert.equal(inForce({ accessLogFormat: "%DURATION%" }).accessLog.encoding, "text");
    assert.equal(inForce({ accessLogFormat: "{}", accessLogEncoding: "JSON" }).accessLog.encoding, "json");
  });

  test('an empty file turns the log off, "tracing: false" leaves trace headers alone', () => {
    const settings = inForce({ accessLogFile: "", tracing: false }, undefined, { ACCESS_LOG: "stderr" });
    assert.equal(settings.accessLog.file, "");
    assert.deepEqual(settings.tracing.formats, []);
  });

  test("tracing that the start had turned off begins with W3C's headers", () => {
    const settings = inForce({ tracing: true, tracingSampling: 0 }, undefined, { TRACE_FORMATS: "none" });
    assert.deepEqual(settings.tracing, { formats: ["w3c"], samplingPercent: 0 });
  });

  test("no scope limits a gateway", () => {
    const sidecar = { egressHosts: [{ namespace: "default", host: "*" }] };
    assert.ok(inForce(undefined, sidecar).scope !== undefined);
    assert.equal(inForce(undefined, sidecar, { PROXY_MODE: "gateway" }).scope, undefined);
  });

  test("a scope that did not change stays the same", () => {
    const start = parseProxyConfig(OWN, []);
    const sidecar = { egressHosts: [{ namespace: "default", host: "*" }] };
    const scope = () => WorkloadConfig.decode(WorkloadConfig.encode({ sidecars: [sidecar] })).sidecars[0];
    const before = settingsInForce(start, { mesh: undefined, scope: scope() });
    assert.equal(settingsInForce(start, { mesh: undefined, scope: scope() }, before).scope, before.scope);
  });

  test("words that are none are refused", () => {
    assert.throws(() => inForce({ outboundTrafficPolicy: "SOME" }), /outbound traffic policy SOME/);
    assert.throws(() => inForce({ accessLogEncoding: "XML" }), /access log encoding XML/);
  });
});
