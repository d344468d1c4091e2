import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { type WorkloadUser, workloadUserName } from "../../shared/wire/index.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

interface Service {
  readonly image: string;
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: object;
  readonly network_mode?: string;
  readonly volumes?: readonly string[];
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(readFileSync(join(ROOT, "docker-compose.yml"), "utf8"), { merge: true }) as ComposeFile;
const workloads = parse(readFileSync(join(ROOT, "samples/bookinfo/workloads.yaml"), "utf8")) as WorkloadUser[];

function volumesOf(service: Service | undefined): [volume: string, folder: string][] {
  return (service?.volumes ?? []).map((mount) => mount.split(":") as [string, string]);
}

test("the compose file is what docker-compose accepts, where that is installed", () => {
  const run = spawnSync("docker-compose", ["config", "-q"], { cwd: ROOT, encoding: "utf8" });
  assert.ok(run.status === 0 || (run.error as NodeJS.ErrnoException | undefined)?.code === "ENOENT", run.stderr);
});

test("every service waits for services that exist and can tell that they are ready", () => {
  for (const [name, service] of Object.entries(compose.services)) {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const target = compose.services[other];
      assert.ok(target !== undefined, `${name} waits for ${other}`);
      assert.ok(
        condition === "service_completed_successfully" || target.healthcheck !== undefined,
        `${other} has no health check`,
      );
    }
    for (const [volume] of volumesOf(service)) assert.ok(volume in compose.volumes, `${name} mounts ${volume}`);
    assert.match(service.image, /^lateen:latest$|:\d+\.\d+-alpine$/);
  }
});

test("each process gets its own credentials and nobody else's", () => {
  const folderOf = new Map(volumesOf(compose.services["bus-config"]));
  for (const [name, service] of Object.entries(compose.services)) {
    if (name === "bus-config") continue;
    const configs = volumesOf(service).filter(([volume]) => volume.startsWith("config-"));
    assert.ok(configs.length <= 1, name);
    const env = service.environment ?? {};
    const [namespace, serviceAccount, serviceName] = [
      env["MESH_NAMESPACE"],
      env["MESH_SERVICE_ACCOUNT"],
      env["MESH_SERVICE"],
    ];
    if (namespace === undefined || serviceAccount === undefined || serviceName === undefined) continue;
    const user = workloadUserName({ namespace, serviceAccount, service: serviceName });
    assert.equal(folderOf.get(configs[0]?.[0] ?? ""), `/config/${user}`, name);
    assert.ok(
      workloads.some((workload) => workloadUserName(workload) === user),
      `${user} is not in workloads.yaml`,
    );
  }
});

test("every sidecar lives in the network of its application", () => {
  const sidecars = Object.entries(compose.services).filter(([name]) => name.endsWith("-proxy"));
  assert.equal(sidecars.length, 6);
  for (const [name, { network_mode }] of sidecars) assert.equal(network_mode, `service:${name.replace(/-proxy$/, "")}`);
});
