import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Child } from "../harness/child.ts";
import { type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

const PROXY = fileURLToPath(new URL("../../services/proxy/main.js", import.meta.url));

describe("an access log on standard output", () => {
  let mesh: SidecarMesh;

  before(async () => {
    mesh = await startSidecarMesh({
      workloads: [{ namespace: "default", serviceAccount: "caller", service: "caller" }],
    });
  });

  after(() => mesh.stop());

  for (const concurrency of ["1", "2"]) {
    test(`has a line a request, after the one that says ready: ${concurrency} process(es)`, async () => {
      const env = {
        ACCESS_LOG: "/dev/stdout",
        ACCESS_LOG_FORMAT: "text",
        CONCURRENCY: concurrency,
        OUTBOUND_TRAFFIC_POLICY: "REGISTRY_ONLY",
      };
      const child = new Child(process.execPath, [PROXY], mesh.settings({ service: "caller", env }));
      try {
        const [ready] = await child.waitFor(/^\{"ready":true.*\}$/m, 60_000);
        const { ports } = JSON.parse(ready) as { ports: { outbound: number } };
        for (const path of ["/one", "/two"]) {
          const call = request({ host: "127.0.0.1", port: ports.outbound, path, headers: { host: "nowhere.example" } });
          const status = await new Promise<number | undefined>((resolve, reject) => {
            call.on("error", reject).on("response", (response) => resolve(response.resume().statusCode));
            call.end();
          });
          assert.equal(status, 502);
          await child.waitFor(new RegExp(`^\\[\\S+\\] "GET ${path} HTTP/1\\.1" 502 NR host_not_registered`, "m"));
        }
      } finally {
        await child.kill("SIGTERM");
      }
      assert.equal(child.process.exitCode, 0, child.output);
    });
  }
});
