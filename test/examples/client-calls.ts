import {
  type ApplyResult,
  type ConfigEvent,
  connectMesh,
  type MeshClient,
  type MetricRow,
  NotFoundError,
  type Resource,
  type ResourceVersion,
  type SubmitReceipt,
  settingsFromFile,
} from "lateen/client";

/*
 * The examples of docs/client.md, which shows the body of each function; an integration test runs them. Each has the same
 * name as its equivalent in plain-nats.ts.
 */

export async function connect(file: string): Promise<boolean> {
  await using mesh = await connectMesh(settingsFromFile(file));
  return mesh.connected;
}

export async function apply(mesh: MeshClient): Promise<readonly ApplyResult[]> {
  const results = await mesh.config.apply({
    apiVersion: "config.istio.io/v1alpha2",
    kind: "RouteRule",
    metadata: { name: "reviews-default", namespace: "default" },
    spec: { destination: { name: "reviews" }, precedence: 1, route: [{ labels: { version: "v1" } }] },
  });
  for (const { name, outcome, errors } of results) {
    console.log(name, outcome);
    for (const { path, reason, remedy } of errors) console.log(`  ${path}: ${reason}; ${remedy}`);
  }
  return results;
}

export async function dryRun(mesh: MeshClient, yaml: string): Promise<readonly ApplyResult[]> {
  const results = await mesh.config.apply(yaml, { dryRun: true });
  return results.filter(({ outcome }) => outcome === "rejected");
}

export async function replace(mesh: MeshClient): Promise<readonly ApplyResult[]> {
  const rule = await mesh.config.get({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
  // The document carries metadata.resourceVersion: refused if somebody else has changed the rule meanwhile.
  return mesh.config.apply({ ...rule, spec: { ...rule.spec, precedence: 2 } });
}

export async function submit(mesh: MeshClient, yaml: string): Promise<SubmitReceipt> {
  const { stream, sequence } = await mesh.config.submit(yaml);
  return { stream, sequence };
}

export async function get(mesh: MeshClient): Promise<Resource | undefined> {
  try {
    return await mesh.config.get({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

export async function list(mesh: MeshClient): Promise<readonly string[]> {
  const rules = await mesh.config.list({ kind: "RouteRule" });
  return rules.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

export async function history(mesh: MeshClient): Promise<readonly ResourceVersion[]> {
  return mesh.config.history({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
}

export async function rollback(mesh: MeshClient): Promise<Resource> {
  return mesh.config.rollback({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
}

export async function remove(mesh: MeshClient): Promise<string> {
  const tombstone = await mesh.config.delete({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
  return tombstone.metadata.resourceVersion;
}

export async function watch(mesh: MeshClient, onEvent: (event: ConfigEvent) => void): Promise<void> {
  for await (const event of mesh.watch({ kinds: ["RouteRule"], namespace: "default" })) {
    onEvent(event);
    if (event.type === "deleted") break;
  }
}

export async function rejections(mesh: MeshClient): Promise<ApplyResult | undefined> {
  for await (const refused of mesh.rejections()) return refused;
  return undefined;
}

export async function metrics(mesh: MeshClient): Promise<MetricRow | undefined> {
  const rows = mesh.telemetry.metrics({ service: "reviews", instance: "requestcount", reporter: "destination" });
  for await (const row of rows) {
    const { source, destination, code, count } = row;
    console.log(`${source.workload} -> ${destination.workload}: ${count} times ${code}; ${rows.dropped} rows missed`);
    return row;
  }
  return undefined;
}
