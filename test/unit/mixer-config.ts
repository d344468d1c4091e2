import { parseAllDocuments } from "yaml";
import type { CheckInstance, Handler, RowContext } from "../../services/mixer/adapters/adapter.ts";
import { ConfigSet } from "../../services/mixer/config-set.ts";
import { Dispatcher } from "../../services/mixer/dispatcher.ts";
import type { MergedValues, ReportSubject } from "../../services/mixer/instances.ts";
import { linkConfig } from "../../services/mixer/linked-config.ts";
import { type HandlerFactory, SnapshotHolder } from "../../services/mixer/snapshot.ts";
import { createKindRegistry } from "../../shared/model/index.ts";
import { MapBag, POLICY_KINDS, type Value } from "../../shared/policy/index.ts";
import { Subjects } from "../../shared/wire/index.ts";

const subjects = new Subjects("mesh");

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Feeds YAML documents into a configuration, each at the next revision. Returns the last revision. */
export class ConfigFeed {
  readonly set = new ConfigSet(createKindRegistry(POLICY_KINDS));
  revision = 0;

  apply(yaml: string): number {
    for (const document of parseAllDocuments(yaml)) this.#put(document.toJS() as Resource, {});
    return this.revision;
  }

  remove(kind: string, namespace: string, name: string): number {
    this.#put({ kind, metadata: { name, namespace } }, { deleted: true });
    return this.revision;
  }

  key(kind: string, namespace: string, name: string): string {
    return subjects.configKey(kind, namespace, name);
  }

  #put(resource: Resource, extra: object): void {
    this.revision++;
    const namespace = resource.metadata.namespace ?? "default";
    const metadata = { ...resource.metadata, namespace, resourceVersion: String(this.revision) };
    const text = JSON.stringify({ apiVersion: "config.istio.io/v1alpha2", ...resource, metadata, ...extra });
    this.set.apply(this.key(resource.kind, namespace, resource.metadata.name), Buffer.from(text));
  }
}

/** A handler that notes what it is given and answers as told. */
export class NotingHandler implements Handler {
  readonly name: string;
  readonly checks: CheckInstance[] = [];
  readonly asks: Parameters<NonNullable<Handler["quota"]>>[0][] = [];
  readonly items: Parameters<NonNullable<Handler["report"]>>[0][number][] = [];
  answer = { code: 0, message: "", validMs: 5000, validUses: 100 };
  granted: number | undefined;
  failure: Error | undefined;
  closed = false;

  constructor(name: string) {
    this.name = name;
  }

  check(instance: CheckInstance): NotingHandler["answer"] {
    this.checks.push(instance);
    if (this.failure) throw this.failure;
    return this.answer;
  }

  quota(ask: NotingHandler["asks"][number]): { granted: number; validMs: number } {
    this.asks.push(ask);
    if (this.failure) throw this.failure;
    return { granted: this.granted ?? ask.amount, validMs: 1000 };
  }

  report(items: readonly NotingHandler["items"][number][]): void {
    this.items.push(...items);
  }

  close(): void {
    this.closed = true;
  }
}

/** Everything from configuration to answers, with noting handlers unless another factory is given. */
export function createMixerUnderTest(yaml: string, factory?: HandlerFactory) {
  const feed = new ConfigFeed();
  feed.apply(yaml);
  const handlers = new Map<string, NotingHandler>();
  const noting: HandlerFactory = (name) => {
    const handler = new NotingHandler(name);
    handlers.set(name, handler);
    return handler;
  };
  const holder = new SnapshotHolder(factory ?? noting);
  holder.swap(linkConfig(feed.set));
  const events: string[] = [];
  const meshed = new Set<string>();
  const dispatcher = new Dispatcher({ onEvent: (event) => events.push(event), hasProxy: (host) => meshed.has(host) });
  return {
    feed,
    holder,
    handlers,
    events,
    meshed,
    dispatcher,
    swap: () => holder.swap(linkConfig(feed.set)),
    check: (attributes: Record<string, Value>, more: Partial<Parameters<Dispatcher["check"]>[1]> = {}) =>
      dispatcher.check(holder.current, {
        namespace: "default",
        bag: MapBag.of(attributes),
        caller: "default/sa/proxy",
        deduplicationId: "",
        quotas: [],
        ...more,
      }),
    report: (subject: ReportSubject, { each = false, outbound = false, namespace = "default" } = {}) =>
      dispatcher.report(holder.current, namespace, [{ subject, each, outbound }]),
  };
}

const PARTY = { namespace: "default", workload: "w", version: "v1", principal: "" };

export const ROW: RowContext = {
  reporter: "destination",
  source: PARTY,
  destination: { ...PARTY, service: "ratings" },
  code: 200,
};

export function reportRow(
  attributes: Record<string, Value>,
  count = 1,
  merged: Record<string, MergedValues> = {},
): ReportSubject {
  return {
    bag: MapBag.of(attributes),
    count,
    timeMs: 1_700_000_000_000,
    merged: new Map(Object.entries(merged)),
    row: ROW,
  };
}
