import { errorMessage } from "../../shared/base/index.ts";
import { stableJson } from "../../shared/model/index.ts";
import type { AdapterParams } from "../../shared/policy/index.ts";
import type { Handler } from "./adapters/adapter.ts";
import type { Fault, LinkedConfig, LinkedHandler, LinkedInstance, LinkedRule } from "./linked-config.ts";
import { rulesFor } from "./linked-config.ts";

/**
 * What requests are judged by: one immutable value, swapped as a whole.
 *
 * A handler lives on from one snapshot to the next while its parameters stay the same, so counters and metrics survive
 * every change that is not theirs. A handler that cannot be made takes its actions with it and nothing else; the
 * faults say so. Handlers that the new snapshot no longer has are closed after it took over, because requests that
 * began before may still use them.
 */
export interface RuntimeAction {
  readonly handler: Handler;
  readonly instances: readonly LinkedInstance[];
}

export interface RuntimeRule {
  readonly rule: LinkedRule;
  readonly actions: readonly RuntimeAction[];
}

export interface Snapshot {
  /** The newest configuration revision that it contains. */
  readonly revision: number;
  readonly faults: readonly Fault[];
  /** For a destination in `namespace`, in the order in which they apply. */
  rulesFor(namespace: string): readonly RuntimeRule[];
}

export type HandlerFactory = (name: string, adapter: AdapterParams) => Handler;

interface LiveHandler {
  readonly handler: Handler;
  readonly digest: string;
}

const EMPTY: Snapshot = { revision: 0, faults: [], rulesFor: () => [] };

/** Holds the present snapshot and the handlers behind it. */
export class SnapshotHolder {
  readonly #factory: HandlerFactory;
  readonly #onClose: (closing: () => void) => void;
  readonly #live = new Map<string, LiveHandler>();
  #current: Snapshot = EMPTY;
  readonly #waiters = new Set<() => void>();
  #broken = 0;

  /** `onClose` runs the closing of a dropped handler once nothing can use it any more; default: at once. */
  constructor(factory: HandlerFactory, onClose: (closing: () => void) => void = (closing) => closing()) {
    this.#factory = factory;
    this.#onClose = onClose;
  }

  get current(): Snapshot {
    return this.#current;
  }

  /** Handlers that could not be made; worth another swap, since what was in the way may pass. */
  get broken(): number {
    return this.#broken;
  }

  /** Makes the configuration the present one. Returns what is broken in it. */
  swap(config: LinkedConfig): readonly Fault[] {
    const faults = [...config.faults];
    const old = new Map(this.#live);
    this.#broken = 0;
    for (const linked of config.handlers) this.#keepOrMake(linked, faults);
    const names = new Set(config.handlers.map((handler) => handler.name));
    for (const name of this.#live.keys()) if (!names.has(name)) this.#live.delete(name);
    const rules = new Map<string, RuntimeRule[]>();
    for (const [namespace, list] of config.rules)
      rules.set(
        namespace,
        list.map((rule) => this.#bind(rule, faults)),
      );
    const perNamespace = new Map<string, readonly RuntimeRule[]>();
    for (const namespace of rules.keys()) perNamespace.set(namespace, rulesFor(rules, namespace));
    const root = rulesFor(rules, "");
    this.#current = { revision: config.revision, faults, rulesFor: (namespace) => perNamespace.get(namespace) ?? root };
    for (const [name, { handler }] of old) {
      if (this.#live.get(name)?.handler !== handler) this.#onClose(() => void handler.close());
    }
    this.#wake();
    return faults;
  }

  /** The same rules at a newer revision, when the change was none of Mixer's. */
  advance(revision: number): void {
    if (revision <= this.#current.revision) return;
    this.#current = { ...this.#current, revision };
    this.#wake();
  }

  /** Resolves at the next swap; `cancel` forgets about it. */
  nextChange(): { readonly changed: Promise<void>; cancel(): void } {
    let waiter = (): void => {};
    const changed = new Promise<void>((resolve) => {
      waiter = resolve;
    });
    this.#waiters.add(waiter);
    return { changed, cancel: () => this.#waiters.delete(waiter) };
  }

  async close(): Promise<void> {
    this.#current = EMPTY;
    const handlers = [...this.#live.values()];
    this.#live.clear();
    await Promise.all(handlers.map(({ handler }) => handler.close()));
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }

  #keepOrMake(linked: LinkedHandler, faults: Fault[]): void {
    const digest = stableJson(linked.adapter);
    if (this.#live.get(linked.name)?.digest === digest) return;
    try {
      this.#live.set(linked.name, { handler: this.#factory(linked.name, linked.adapter), digest });
    } catch (error) {
      this.#live.delete(linked.name);
      this.#broken++;
      faults.push({ key: linked.key, reason: errorMessage(error) });
    }
  }

  #bind(rule: LinkedRule, faults: Fault[]): RuntimeRule {
    const actions: RuntimeAction[] = [];
    for (const action of rule.actions) {
      const handler = this.#live.get(action.handler.name)?.handler;
      if (handler === undefined) continue;
      const instances = action.instances.filter((linked) => {
        const missing = lacks(handler, linked);
        if (missing !== undefined) faults.push({ key: rule.key, reason: missing });
        return missing === undefined;
      });
      if (instances.length > 0) actions.push({ handler, instances });
    }
    return { rule, actions };
  }
}

function lacks(handler: Handler, { name, instance, variety }: LinkedInstance): string | undefined {
  const able: Readonly<Record<string, unknown>> = {
    CHECK: handler.check,
    QUOTA: handler.quota,
    REPORT: handler.report,
  };
  if (able[variety] === undefined) return `handler ${handler.name} takes no ${instance.template}`;
  if (handler.covers !== undefined && !handler.covers(name))
    return `handler ${handler.name} defines nothing for ${name}`;
  return undefined;
}
