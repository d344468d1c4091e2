import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EndpointSet, tableKey } from "../../shared/wire/index.ts";
import { freePort } from "../harness/index.ts";
import { type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

/*
 * A registration says where an instance listens, and a name resolves to what its owner likes: both may point at the
 * loopback of whoever calls. What listens there for this machine alone must not be reached from the mesh through its own proxy.
 */

describe("an instance that says it is where the caller's own admin API listens", () => {
  let mesh: SidecarMesh;
  let caller: Sidecar;
  let admin: number;

  const listen = async (address: string): Promise<void> => {
    const ports = [{ number: 9080, protocol: "http", addressPort: admin }];
    const endpoint = { instance: "evil-1", address, ports, healthy: true, plaintext: true };
    await mesh.write("endpoints", tableKey("default", "evil", "0"), EndpointSet.encode({ endpoints: [endpoint] }));
  };

  before(async () => {
    mesh = await startSidecarMesh({
      workloads: [{ namespace: "default", serviceAccount: "caller", service: "caller" }],
    });
    admin = await freePort();
    await mesh.writeService("evil");
    await listen("127.0.0.1");
    caller = await mesh.startSidecar({ service: "caller", env: { ADMIN_PORT: String(admin) } });
  });

  after(() => mesh.stop());

  test("is not called, by address or by name", async () => {
    const own = await fetch(`http://127.0.0.1:${admin}/server_info`);
    assert.equal(own.status, 200, "the machine itself reaches it");
    const { status, body } = await caller.call("evil:9080", "/server_info");
    assert.equal(status, 503);
    assert.match(body, /admin API of this proxy/);
    assert.equal((await caller.call("evil:9080", "/quitquitquit", { method: "POST" })).status, 503);
    await listen("localhost");
    assert.equal((await caller.call("evil:9080", "/server_info")).status, 503);
  });

  test("is not reached as a host outside either", async () => {
    for (const host of [`127.0.0.1:${admin}`, `localhost:${admin}`])
      assert.equal((await caller.call(host, "/server_info")).status, 503, host);
  });
});
