import { after, before, describe, test } from "node:test";
import { Plan } from "../../shared/wire/index.ts";
import { consistently } from "../harness/index.ts";
import { type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

describe("a sidecar that is started before there is any plan", () => {
  let mesh: SidecarMesh;

  before(async () => {
    mesh = await startSidecarMesh({
      workloads: [{ namespace: "default", serviceAccount: "caller", service: "caller" }],
    });
    await mesh.remove("plan", "default");
  });

  after(() => mesh.stop());

  for (const concurrency of ["1", "2"]) {
    test(`waits for it, and is ready when it comes: ${concurrency} process(es)`, { timeout: 30_000 }, async () => {
      let isReady = false;
      const starting = mesh.startSidecar({ service: "caller", env: { CONCURRENCY: concurrency } }).then((sidecar) => {
        isReady = true;
        return sidecar;
      });
      await consistently(() => !isReady, 1_500);
      await mesh.write("plan", "default", Plan.encode({ revision: 1 }));
      await mesh.stopSidecar(await starting);
      await mesh.remove("plan", "default");
    });
  }
});
