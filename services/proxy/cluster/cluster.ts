import { type Clock, mix32, systemClock } from "../../../shared/base/index.ts";
import { WeightedChoice } from "../route/weighted-choice.ts";
import type { Balancer } from "./balancer.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { type ClusterPolicy, DEFAULT_POLICY, type SlowStartPolicy } from "./cluster-policy.ts";
import { createBalancer, PASSTHROUGH } from "./create-balancer.ts";
import { HealthChecker } from "./health-checker.ts";
import type { Host } from "./host.ts";
import { groupByLocality, type HostGroup } from "./locality.ts";
import { OutlierDetector } from "./outlier-detector.ts";

/**
 * The instances of a service that a route may choose from, those with certain labels or all, and the policy towards
 * them. Who may be chosen is worked out when a host comes, goes or changes its health, never for a request: choosing
 * looks at ready lists.
 *
 * Below the panic threshold all hosts are used, available or not: when most of a service seems to be down, it is
 * likelier that the judgement is wrong, and the few that are left must not be buried under everyone's load.
 */

/** How often another choice is made to get away from hosts that have been tried, before they are looked through. */
const MAX_CHOICES = 5;

export interface ClusterOptions {
  readonly clock?: Clock;
  /** The caller's. */
  readonly locality?: string;
  /** Of another cluster, whose limits are these too; default: its own. */
  readonly breaker?: CircuitBreaker;
}

interface GroupBalancer {
  readonly name: string;
  readonly balancer: Balancer;
}

export class Cluster {
  /** `<service>.<namespace>`, with `:port` for a port that has a policy of its own and `|k=v,...` for a version. */
  readonly name: string;
  readonly breaker: CircuitBreaker;
  readonly #clock: Clock;
  readonly #locality: string;
  #policy: ClusterPolicy = DEFAULT_POLICY;
  #hosts: readonly Host[] = [];
  /** Those to choose from. */
  #usable: readonly Host[] = [];
  #balancer: Balancer = createBalancer(DEFAULT_POLICY.loadBalancing);
  /** Instead of the one balancer, where localities decide first. */
  #groups: WeightedChoice<GroupBalancer> | undefined;
  #groupBalancers = new Map<string, GroupBalancer>();
  #outlier: OutlierDetector | undefined;
  #checker: HealthChecker | undefined;
  #ports: ReadonlyMap<number, Cluster> | undefined;

  constructor(
    name: string,
    { clock = systemClock, locality = "", breaker = new CircuitBreaker() }: ClusterOptions = {},
  ) {
    this.name = name;
    this.breaker = breaker;
    this.#clock = clock;
    this.#locality = locality;
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  get policy(): ClusterPolicy {
    return this.#policy;
  }

  /** Undefined: nobody wants to know how requests end. */
  get outlier(): OutlierDetector | undefined {
    return this.#outlier;
  }

  /** Whether the client's own choice of address stands. */
  get passesThrough(): boolean {
    return this.#policy.loadBalancing === PASSTHROUGH;
  }

  /** The cluster for requests to a port: another one where a policy speaks of that port apart. */
  forPort(servicePort: number): Cluster {
    return this.#ports === undefined ? this : (this.#ports.get(servicePort) ?? this);
  }

  setPorts(clusters: ReadonlyMap<number, Cluster>): void {
    this.#ports = clusters.size === 0 ? undefined : clusters;
  }

  /** Balancer, detector and checker keep what they know unless their own part of the policy changes. */
  update(hosts: readonly Host[], policy: ClusterPolicy = DEFAULT_POLICY): void {
    this.#hosts = hosts;
    if (policy !== this.#policy) this.#adopt(policy);
    this.#checker?.watch(hosts);
    this.refresh();
  }

  /** Works out anew who may be chosen: a host has changed its health or its weight. */
  refresh(): void {
    const hosts = this.#hosts;
    const { panicPercent, locality } = this.#policy;
    const available = hosts.filter((host) => host.available);
    this.#warmUp();
    const groups = locality === undefined ? undefined : groupByLocality(hosts, this.#locality, locality);
    const enough = groups !== undefined && groups.reduce((sum, group) => sum + group.weight, 0) > 1 - 1e-9;
    const panics = !enough && available.length * 100 < panicPercent * hosts.length;
    this.#usable = panics ? hosts : available;
    this.#balancer.update(this.#usable);
    this.#group(panics ? undefined : groups);
  }

  /**
   * A host that serves the port, preferably none of `tried`; undefined when there is none. Requests with the same
   * `hash` are kept together where the balancer hashes.
   */
  choose(servicePort: number, tried: ReadonlySet<Host> | undefined, hash?: number): Host | undefined {
    const host = this.#pick(hash);
    if (host === undefined || (tried === undefined && host.ports.has(servicePort))) return host;
    return this.#chooseAmong(host, servicePort, tried, hash);
  }

  /** Called about once a second. */
  sweep(nowMs: number): void {
    for (const host of this.#hosts) host.sweep(nowMs);
    if (this.#policy.slowStart !== undefined && this.#hosts.some((host) => host.warmth < 1)) this.refresh();
  }

  /** Hosts are closed too. */
  close(): void {
    this.#outlier?.close();
    this.#checker?.close();
    for (const host of this.#hosts) host.close();
  }

  #pick(hash: number | undefined): Host | undefined {
    if (this.#groups === undefined) return this.#balancer.choose(hash);
    const group = hash === undefined ? this.#groups.next() : this.#groups.at(mix32(hash ^ 0x9e3779b9) / 2 ** 32);
    return group?.balancer.choose(hash);
  }

  #chooseAmong(
    first: Host,
    servicePort: number,
    tried: ReadonlySet<Host> | undefined,
    hash: number | undefined,
  ): Host | undefined {
    let serving: Host | undefined;
    let host: Host | undefined = first;
    for (let choice = 0; host !== undefined && choice <= MAX_CHOICES; choice++) {
      if (host.ports.has(servicePort)) {
        if (tried === undefined || !tried.has(host)) return host;
        serving = host;
      }
      host = this.#pick(hash === undefined ? undefined : mix32(hash + choice + 1));
    }
    for (const other of this.#usable) {
      if (!other.ports.has(servicePort)) continue;
      if (tried === undefined || !tried.has(other)) return other;
      serving ??= other;
    }
    return serving;
  }

  #adopt(policy: ClusterPolicy): void {
    const before = this.#policy;
    this.#policy = policy;
    this.breaker.limits = policy.limits;
    if (policy.loadBalancing !== before.loadBalancing || policy.hashTableSize !== before.hashTableSize) {
      this.#balancer = this.#createBalancer();
      this.#groupBalancers.clear();
    }
    if (differ(policy.outlier, before.outlier)) {
      this.#outlier?.close();
      const hooks = { clock: this.#clock, hosts: () => this.#hosts, onChange: () => this.refresh() };
      this.#outlier = policy.outlier && new OutlierDetector({ policy: policy.outlier, ...hooks });
    }
    if (differ(policy.healthCheck, before.healthCheck)) {
      this.#checker?.close();
      const hooks = { clock: this.#clock, onChange: () => this.refresh() };
      this.#checker = policy.healthCheck && new HealthChecker({ policy: policy.healthCheck, ...hooks });
    }
  }

  #createBalancer(): Balancer {
    return createBalancer(this.#policy.loadBalancing, this.#policy.hashTableSize);
  }

  #group(groups: readonly HostGroup[] | undefined): void {
    const before = this.#groupBalancers;
    this.#groupBalancers = new Map();
    this.#groups = undefined;
    if (groups === undefined) return;
    const items = groups.map(({ name, hosts, weight }) => {
      const value = before.get(name) ?? { name, balancer: this.#createBalancer() };
      value.balancer.update(hosts);
      this.#groupBalancers.set(name, value);
      return { value, weight };
    });
    this.#groups = new WeightedChoice(items);
  }

  /** Hosts that have become available begin with a small part of their weight. */
  #warmUp(): void {
    const { slowStart } = this.#policy;
    const nowMs = this.#clock.monotonic();
    for (const host of this.#hosts) {
      host.availableSinceMs = host.available ? (host.availableSinceMs ?? nowMs) : undefined;
      host.warmth = slowStart === undefined ? 1 : warmth(slowStart, nowMs - (host.availableSinceMs ?? nowMs));
    }
  }
}

/** From the smallest part of its weight to all of it, in the course of the window. */
function warmth({ windowMs, aggression, minWeightPercent }: SlowStartPolicy, elapsedMs: number): number {
  if (elapsedMs >= windowMs) return 1;
  return Math.max(minWeightPercent / 100, (elapsedMs / windowMs) ** (1 / aggression));
}

function differ(a: object | undefined, b: object | undefined): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}
