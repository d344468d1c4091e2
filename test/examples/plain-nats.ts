import { connect as connectNats, headers, type NatsConnection } from "nats";

/*
 * The same as client-calls.ts, with nothing of Lateen: any NATS client will do. docs/client.md shows the bodies, and an
 * integration test compares the outcomes.
 */

export async function connect(server: string, user: string, password: string): Promise<boolean> {
  // nats context save mesh --server nats://127.0.0.1:4222 --user operator --password ... --select
  const nc = await connectNats({ servers: server, user, pass: password, inboxPrefix: `_INBOX.${user}` });
  await nc.close();
  return nc.isClosed();
}

export async function apply(nc: NatsConnection): Promise<unknown> {
  // nats request mesh.config.apply "$(cat rule.yaml)"
  const rule = {
    apiVersion: "config.istio.io/v1alpha2",
    kind: "RouteRule",
    metadata: { name: "reviews-default", namespace: "default" },
    spec: { destination: { name: "reviews" }, precedence: 1, route: [{ labels: { version: "v1" } }] },
  };
  const answer = await nc.request("mesh.config.apply", JSON.stringify(rule), { timeout: 10_000 });
  return answer.json<{ results: unknown[] }>().results;
}

export async function dryRun(nc: NatsConnection, yaml: string): Promise<unknown> {
  // nats request -H Mesh-Dry-Run:true mesh.config.apply "$(cat rule.yaml)"
  const only = headers();
  only.set("Mesh-Dry-Run", "true");
  const answer = await nc.request("mesh.config.apply", yaml, { timeout: 10_000, headers: only });
  return answer.json<{ results: { outcome: string }[] }>().results.filter(({ outcome }) => outcome === "rejected");
}

export async function replace(nc: NatsConnection): Promise<unknown> {
  const name = JSON.stringify({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
  const { items } = (await nc.request("mesh.config.get", name)).json<{ items: { spec: object }[] }>();
  const rule = { ...items[0], spec: { ...items[0]?.spec, precedence: 2 } };
  const answer = await nc.request("mesh.config.apply", JSON.stringify(rule), { timeout: 10_000 });
  return answer.json<{ results: unknown[] }>().results;
}

export async function submit(nc: NatsConnection, yaml: string): Promise<unknown> {
  // nats request mesh.config.submit "$(cat rule.yaml)"
  const acknowledgement = await nc.request("mesh.config.submit", yaml);
  const { stream, seq } = acknowledgement.json<{ stream: string; seq: number }>();
  return { stream, sequence: seq };
}

export async function get(nc: NatsConnection): Promise<unknown> {
  // nats request mesh.config.get '{"kind":"RouteRule","namespace":"default","name":"reviews-default"}'
  const name = JSON.stringify({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
  const { items, error } = (await nc.request("mesh.config.get", name)).json<{ items?: unknown[]; error?: object }>();
  return error === undefined ? items?.[0] : undefined;
}

export async function list(nc: NatsConnection): Promise<unknown> {
  // nats request mesh.config.list '{"kind":"RouteRule"}'
  const found: string[] = [];
  let next: string | undefined;
  do {
    const query = JSON.stringify({ kind: "RouteRule", continue: next });
    const page = (await nc.request("mesh.config.list", query)).json<{
      items: { metadata: { namespace: string; name: string } }[];
      continue?: string;
    }>();
    found.push(...page.items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
    next = page.continue;
  } while (next !== undefined);
  return found;
}

export async function history(nc: NatsConnection): Promise<unknown> {
  // nats request mesh.config.history '{"kind":"RouteRule","namespace":"default","name":"reviews-default"}'
  const name = JSON.stringify({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
  return (await nc.request("mesh.config.history", name)).json<{ items: unknown[] }>().items;
}

export async function rollback(nc: NatsConnection): Promise<unknown> {
  // nats request mesh.config.rollback '{"kind":"RouteRule","namespace":"default","name":"reviews-default"}'
  const name = JSON.stringify({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
  return (await nc.request("mesh.config.rollback", name)).json<{ items: unknown[] }>().items[0];
}

export async function remove(nc: NatsConnection): Promise<unknown> {
  // nats request mesh.config.delete '{"kind":"RouteRule","namespace":"default","name":"reviews-default"}'
  const name = JSON.stringify({ kind: "RouteRule", namespace: "default", name: "reviews-default" });
  const answer = await nc.request("mesh.config.delete", name);
  return answer.json<{ items: { metadata: { resourceVersion: string } }[] }>().items[0]?.metadata.resourceVersion;
}

export async function watch(nc: NatsConnection, onChange: (resource: unknown) => void): Promise<void> {
  // nats sub 'mesh.config.changed.routerule.default.*'
  // What is there already is asked for with mesh.config.list; so is, after a lost connection, what was missed.
  for await (const message of nc.subscribe("mesh.config.changed.routerule.default.*")) {
    const resource = message.json<{ deleted?: true }>();
    onChange(resource);
    if (resource.deleted) break;
  }
}

export async function rejections(nc: NatsConnection): Promise<unknown> {
  // nats sub 'mesh.config.rejected.>'
  for await (const message of nc.subscribe("mesh.config.rejected.>")) return message.json();
  return undefined;
}

export async function metrics(nc: NatsConnection): Promise<unknown> {
  // nats sub 'mesh.telemetry.metric.*.reviews'
  for await (const message of nc.subscribe("mesh.telemetry.metric.*.reviews")) {
    const row = message.json<{ instance: string; reporter: string }>();
    if (row.instance.startsWith("requestcount.") && row.reporter === "destination") return row;
  }
  return undefined;
}
