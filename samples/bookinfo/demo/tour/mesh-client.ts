import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AwaitedResource, waitApplied } from "../../../../cli/wait.ts";
import { type ApplyResult, ConfigClient } from "../../../../client/index.ts";
import { UnavailableError } from "../../../../shared/base/index.ts";
import type { Bus, BusSubscription } from "../../../../shared/bus/index.ts";
import { expect, until } from "./step.ts";

type Name = readonly [kind: string, namespace: string, name: string];

const REQUEST_TIMEOUT_MS = 5_000;
const APPLIED_WITHIN_MS = 20_000;
const BROADCAST_WITHIN_MS = 20_000;

/** An operator's view of the mesh: changes rules, knows when they are in force, and removes what it applied. */
export class MeshClient {
  readonly bus: Bus;
  readonly #config: ConfigClient;
  readonly #rulesDir: string;
  readonly #applied = new Map<string, Name>();

  constructor(bus: Bus, rulesDir: string) {
    this.bus = bus;
    this.#config = new ConfigClient(bus);
    this.#rulesDir = rulesDir;
  }

  ruleText(file: string): Promise<string> {
    return readFile(join(this.#rulesDir, `${file}.yaml`), "utf8");
  }

  /** Applies files of samples/bookinfo/rules, in order, and waits until every proxy that is concerned has them. */
  async applyFiles(...files: readonly string[]): Promise<void> {
    for (const file of files) await this.applyAndWait(await this.ruleText(file));
  }

  /** Applies every document; throws when one is refused; waits until all are in force. */
  async applyAndWait(text: string): Promise<void> {
    const results = await this.apply(text);
    for (const { kind, namespace, name, outcome, errors } of results) {
      expect(outcome !== "rejected", `${kind} ${namespace}/${name} was rejected: ${JSON.stringify(errors)}`);
      this.willRemove(kind, namespace, name);
    }
    await this.#waitFor(results);
  }

  /** Sends documents and gives back Pilot's answer for each; waits for a Pilot that leads. */
  apply(text: string): Promise<readonly ApplyResult[]> {
    return whenLed(() => this.#config.apply(text));
  }

  /** Waits until the revision is compiled and every follower of what it touched has it. */
  waitFor(kind: string, namespace: string, name: string, revision: number): Promise<void> {
    return this.#waitFor([{ kind, namespace, name, revision }]);
  }

  /** Deletes one resource and waits until nobody follows it any more. */
  async remove(...[kind, namespace, name]: Name): Promise<void> {
    this.#applied.delete([kind, namespace, name].join("/"));
    const { metadata } = await whenLed(() => this.#config.delete({ kind, namespace, name }));
    await this.waitFor(kind, namespace, name, Number(metadata.resourceVersion));
  }

  /** Marks a resource, applied by whatever way, for removal at the end of the step. */
  willRemove(...name: Name): void {
    this.#applied.set(name.join("/"), name);
  }

  /** Keeps what was applied so far: no step removes it. */
  keepApplied(): void {
    this.#applied.clear();
  }

  /** Removes everything applied since the last time, the newest first. */
  async removeApplied(): Promise<void> {
    for (const name of [...this.#applied.values()].reverse()) await this.remove(...name);
  }

  /** A publish to which nobody answers. */
  publish(verb: "apply" | "submit", text: string): void {
    expect(this.bus.publishBytes(this.bus.subjects.config(verb), Buffer.from(text)), "not connected to NATS");
  }

  /** A durable publish; resolves to the stored message's sequence. */
  async submit(text: string): Promise<number> {
    const ack = await this.bus.requestJson(this.bus.subjects.config("submit"), text, { timeoutMs: REQUEST_TIMEOUT_MS });
    const { seq } = ack as { seq?: number };
    if (seq === undefined) throw new Error(`submit was not stored: ${JSON.stringify(ack)}`);
    return seq;
  }

  /** The revision of the resource's next broadcast. */
  async nextChange(...name: Name): Promise<number> {
    const { subjects } = this.bus;
    const resource = (await this.#nextMessage(subjects.table("config", subjects.configKey(...name)))) as {
      metadata: { resourceVersion: string };
    };
    return Number(resource.metadata.resourceVersion);
  }

  async nextRejection(...name: Name): Promise<ApplyResult> {
    return (await this.#nextMessage(this.bus.subjects.configRejected(...name))) as ApplyResult;
  }

  /** Inbound requests that a sidecar has counted so far. */
  async inboundRequests(metricsPort: number): Promise<number> {
    const page = await fetchMetrics(metricsPort, "/stats/prometheus");
    return sumMetric(page, "istio_requests_total", (labels) => labels["reporter"] === "destination");
  }

  #nextMessage(subject: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let subscription: BusSubscription | undefined;
      const timer = setTimeout(() => {
        subscription?.close();
        reject(new Error(`nothing on ${subject} within ${BROADCAST_WITHIN_MS / 1000} s`));
      }, BROADCAST_WITHIN_MS);
      subscription = this.bus.subscribe(subject, (message) => {
        clearTimeout(timer);
        subscription?.close();
        resolve(JSON.parse(message.text()));
      });
    });
  }

  #waitFor(resources: readonly AwaitedResource[]): Promise<void> {
    return waitApplied(this.bus, resources, { timeoutMs: APPLIED_WITHIN_MS });
  }
}

/** Repeats a request that found no Pilot leading yet. */
function whenLed<T>(ask: () => Promise<T>): Promise<T> {
  return until("a leading Pilot answers", async () => {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof UnavailableError) return undefined;
      throw error;
    }
  });
}

/** A process's Prometheus page. */
export async function fetchMetrics(port: number, path = "/metrics"): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return response.text();
}

/** Adds up the samples of a metric whose labels pass. */
export function sumMetric(
  page: string,
  metric: string,
  passes: (labels: Readonly<Record<string, string>>) => boolean,
): number {
  let sum = 0;
  for (const line of page.split("\n")) {
    if (!line.startsWith(`${metric}{`)) continue;
    const end = line.lastIndexOf("}");
    const labels = Object.fromEntries(
      [...line.slice(metric.length + 1, end).matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((match) => [
        match[1] ?? "",
        match[2] ?? "",
      ]),
    );
    if (passes(labels))
      sum += Number(
        line
          .slice(end + 1)
          .trim()
          .split(" ")[0],
      );
  }
  return sum;
}
