import type { FollowedKey, FollowedTable } from "../../../shared/bus/index.ts";
import { Plan, tableKey } from "../../../shared/wire/index.ts";

/** The key of the plan for services that have none of their own. */
export const DEFAULT_PLAN = "default";

/** A service's plan in force. `C` is what the reporter and the check client make of it, once per plan. */
export interface PlanEntry<C> {
  readonly plan: Plan;
  readonly compiled: C;
}

interface ServiceOf {
  readonly namespace: string;
  readonly service: string;
}

interface Known<C> {
  readonly version: number;
  readonly entry: PlanEntry<C> | undefined;
}

/**
 * What to ask Mixer and what to tell it, per destination service. A service without a plan of its own has the default
 * one; without either, nothing is known, and the proxy must not say that nothing is to be asked.
 */
export class PlanBook<C> {
  readonly #plans: FollowedTable;
  readonly #compile: (plan: Plan) => C;
  readonly #follows = new Map<string, FollowedKey>();
  readonly #entries = new Map<string, PlanEntry<C> | undefined>();
  readonly #default: FollowedKey;
  /** By the objects that stand for services on the request path; worked out anew when any plan has changed. */
  readonly #known = new WeakMap<ServiceOf, Known<C>>();
  #version = 0;

  constructor(plans: FollowedTable, compile: (plan: Plan) => C) {
    this.#plans = plans;
    this.#compile = compile;
    this.#default = this.#follow(DEFAULT_PLAN);
  }

  /** Resolves once there is a default plan. That there is none yet, as before Mixer has first led, is no answer. */
  ready(): Promise<void> {
    if (this.#hasDefault) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.#default.onChange(() => {
        if (!this.#hasDefault) return;
        stop();
        resolve();
      });
    });
  }

  /** The plan for requests to a service; starts to follow it. The same object always stands for the same service. */
  get(service: ServiceOf): PlanEntry<C> | undefined {
    const known = this.#known.get(service);
    if (known !== undefined && known.version === this.#version) return known.entry;
    const key = tableKey(service.namespace, service.service);
    if (!this.#follows.has(key)) this.#follow(key);
    const entry = this.#entries.get(key) ?? this.#entries.get(DEFAULT_PLAN);
    this.#known.set(service, { version: this.#version, entry });
    return entry;
  }

  /** Resolves when the service's own plan (or that there is none) is known, at the latest after `timeoutMs`. */
  async settled(namespace: string, service: string, timeoutMs: number): Promise<void> {
    const key = tableKey(namespace, service);
    const follow = this.#follows.get(key) ?? this.#follow(key);
    await follow.ready(timeoutMs).catch(() => undefined);
  }

  get #hasDefault(): boolean {
    return this.#entries.has(DEFAULT_PLAN);
  }

  #follow(key: string): FollowedKey {
    const follow = this.#plans.follow(key);
    this.#follows.set(key, follow);
    const adopt = (): void => {
      this.#version++;
      if (follow.value === undefined) {
        this.#entries.delete(key);
        return;
      }
      const plan = Plan.decode(follow.value);
      this.#entries.set(key, { plan, compiled: this.#compile(plan) });
      follow.setApplied({ epoch: follow.epoch, sequence: follow.sequence, revision: plan.revision });
    };
    follow.onChange(adopt);
    adopt();
    return follow;
  }
}
