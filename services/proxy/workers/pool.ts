import { Backoff, type Clock, errorMessage, TimeoutError } from "../../../shared/base/index.ts";
import type { Bus } from "../../../shared/bus/index.ts";
import type { Logger, Metrics } from "../../../shared/obs/index.ts";
import type { TapAnswer, TapRow } from "../../../shared/wire/index.ts";
import type { ProxyConfig } from "../config.ts";
import type { IdentityMaterial } from "../identity/material.ts";
import type { LogLevel } from "../log-level.ts";
import type { DataPlane, Figures, PlaneViewName, PlaneViews, WorkerView } from "../plane/data-plane.ts";
import type { TapOrder } from "../tap/tap-filter.ts";
import { MAX_ANSWER_CHARS } from "../tap/taps.ts";
import { Acceptor } from "./acceptor.ts";
import { AppliedBoard } from "./applied-board.ts";
import type { KeyRelay } from "./key-relay.ts";
import { LeftKeys } from "./left-keys.ts";
import { mergedClusters, mergedListeners, mergedRoutes, mergedServices } from "./merged-views.ts";
import { BUS_NAMES, type BusName, type PrimaryNotice, type WorkerViewName, type WorkerViews } from "./messages.ts";
import { RetiredFigures } from "./retired-figures.ts";
import { WorkerProcess, type WorkerProcessOptions } from "./worker-process.ts";

/*
 * The data plane as several worker processes. Each serves whatever connections it is handed, with its own snapshots,
 * pools, breakers and caches; the primary accepts for all of them and lends them its bus. A worker that dies takes its
 * own connections with it and nothing else: it is replaced at once, and by and by more slowly when that one dies soon
 * too, and its figures of a moment ago still count.
 */

/** A replacement that lives this long was a good one. */
const STEADY_MS = 5_000;
const RETRY = { baseMs: 500, maxMs: 30_000 };
/** How often workers tell their figures: what one had counted since is lost when it dies. */
const FIGURES_MS = 1_000;
/** For an answer about itself. */
const SHOW_MS = 2_000;
/** For its last requests, and for its last reports. */
const CLOSE_MS = 10_000;
const STOP_MS = 5_000;

export interface WorkerPoolOptions extends Pick<WorkerProcessOptions, "environment" | "tables"> {
  readonly config: ProxyConfig;
  readonly bus: Bus;
  readonly telemetryBus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly logLevel: LogLevel;
  readonly metrics: Metrics;
}

/** A worker's place: whoever has it is replaced there. */
interface Place {
  readonly index: number;
  readonly backoff: Backoff;
  worker: WorkerProcess | undefined;
  /** It takes connections. */
  serves: boolean;
  restarts: number;
  launchedMs: number;
  cancelLaunch: () => void;
}

export class WorkerPool implements DataPlane {
  readonly #options: WorkerPoolOptions;
  readonly #buses: Readonly<Record<BusName, Bus>>;
  readonly #acceptor = new Acceptor();
  readonly #board = new AppliedBoard<KeyRelay>();
  readonly #leftKeys: LeftKeys;
  readonly #retired = new RetiredFigures();
  readonly #places: readonly Place[];
  readonly #restarts;
  readonly #stops: (() => void)[] = [];
  /** Listeners that take no more; undefined: all of them. */
  readonly #closedListeners = new Set<string | undefined>();
  #material: IdentityMaterial | undefined;
  #announced = false;
  #started = false;
  #stopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    const { config, bus, telemetryBus, clock, logLevel, metrics } = options;
    this.#buses = { bus, telemetryBus };
    this.#leftKeys = new LeftKeys(clock);
    this.#places = Array.from({ length: config.concurrency }, (_, index) => ({
      index,
      backoff: new Backoff(RETRY),
      worker: undefined,
      serves: false,
      restarts: 0,
      launchedMs: 0,
      cancelLaunch: () => {},
    }));
    this.#restarts = metrics.counter("worker_restarts_total", "Workers that died and were replaced.");
    logLevel.onChange((level) => this.#tellAll({ type: "logLevel", level }));
    for (const name of BUS_NAMES) {
      const stop = this.#buses[name].onState((state) =>
        this.#tellAll({ type: "connected", bus: name, connected: state === "connected" }),
      );
      this.#stops.push(stop);
    }
  }

  async start(material: IdentityMaterial): Promise<Record<string, number>> {
    this.#material = material;
    const [ports = {}] = await Promise.all(this.#places.map((place) => this.#launch(place)));
    this.#started = true;
    this.#stops.push(this.#options.clock.every(FIGURES_MS, () => void this.#gatherFigures()));
    return ports;
  }

  renew(material: IdentityMaterial): void {
    this.#material = material;
    this.#tellAll({ type: "renew", material });
  }

  announceClose(): void {
    this.#announced = true;
    this.#tellAll({ type: "announceClose" });
  }

  async closeListeners(name?: string): Promise<void> {
    this.#closedListeners.add(name);
    await this.#closeAcceptor(name);
    await this.#eachWorker((worker) => this.#within(CLOSE_MS, worker.channel.ask("closeListeners", name)));
  }

  get workers(): readonly WorkerView[] {
    return this.#places.flatMap(({ worker, restarts }) => {
      if (worker === undefined) return [];
      const { pid, connections, startedMs } = worker;
      return [{ pid, uptime: `${Math.floor((Date.now() - startedMs) / 1_000)}s`, connections, restarts }];
    });
  }

  show<N extends PlaneViewName>(name: N): Promise<PlaneViews[N]> {
    const views: { readonly [V in PlaneViewName]: () => Promise<PlaneViews[V]> } = {
      clusters: async () => mergedClusters(await this.#showAll("clusters")),
      listeners: async () => mergedListeners(await this.#showAll("listeners")),
      services: async () => mergedServices(await this.#showAll("services")),
      routes: async () => mergedRoutes(await this.#showAll("routes")),
      // The same for all of them, but for the moment of a change.
      mesh: async () => (await this.#showAll("mesh"))[0],
      figures: () => this.#figures(),
    };
    return views[name]();
  }

  async tap(order: TapOrder): Promise<TapAnswer> {
    const rows: TapRow[] = [];
    let dropped = 0;
    let failure: unknown;
    const share = {
      ...order,
      maxChars: MAX_ANSWER_CHARS / this.#places.length,
      maxPerSecond: Math.ceil(order.maxPerSecond / this.#places.length),
    };
    await this.#eachServing(async (worker) => {
      try {
        const answer = await worker.channel.ask("tap", share);
        rows.push(...answer.rows);
        dropped += answer.dropped;
      } catch (error) {
        failure = error;
      }
    });
    if (rows.length === 0 && failure !== undefined) throw failure;
    return { rows: rows.sort((a, b) => a.timeMs - b.timeMs), dropped };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const stop of this.#stops) stop();
    for (const { cancelLaunch } of this.#places) cancelLaunch();
    await this.#closeAcceptor();
    await this.#eachWorker(async (worker) => {
      await this.#within(STOP_MS, worker.channel.ask("stop", undefined)).catch(() => undefined);
      await worker.end();
    });
    this.#leftKeys.close();
  }

  async #launch(place: Place): Promise<Record<string, number>> {
    const { config, environment, tables, clock, logLevel } = this.#options;
    const material = this.#material;
    if (material === undefined) throw new TypeError("a worker needs a certificate");
    const worker = new WorkerProcess({
      environment,
      tables,
      board: this.#board,
      acceptor: this.#acceptor,
      buses: this.#buses,
      onEnd: (reason) => this.#onEnd(place, worker, reason),
    });
    place.worker = worker;
    place.launchedMs = clock.monotonic();
    const ports = await worker.channel.ask("start", {
      config: { ...config, natsUrl: "", natsUser: "", natsPassword: "" },
      index: place.index,
      logLevel: logLevel.current,
      connected: BUS_NAMES.filter((name) => this.#buses[name].connected),
      material,
    });
    // What has happened meanwhile was told to workers that had begun by then.
    if (this.#material !== material) worker.channel.tell({ type: "renew", material: this.#material ?? material });
    if (this.#announced) worker.channel.tell({ type: "announceClose" });
    for (const name of this.#closedListeners) await worker.channel.ask("closeListeners", name);
    place.serves = true;
    this.#acceptor.join(worker);
    return ports;
  }

  #onEnd(place: Place, worker: WorkerProcess, reason: string): void {
    const { clock, log } = this.#options;
    place.worker = undefined;
    place.serves = false;
    this.#acceptor.leave(worker);
    this.#leftKeys.keep(worker.takeKeys());
    if (worker.figures !== undefined) this.#retired.add(worker.figures);
    if (this.#stopping) return;
    if (!this.#started) {
      log.error({ pid: worker.pid, worker: place.index, reason }, "a worker died at the start");
      return;
    }
    const isGood = place.restarts === 0 || clock.monotonic() - place.launchedMs >= STEADY_MS;
    if (isGood) place.backoff.reset();
    const delayMs = isGood ? 0 : place.backoff.nextMs();
    log.error({ pid: worker.pid, worker: place.index, reason, delayMs }, "a worker has died and is replaced");
    place.cancelLaunch = clock.after(delayMs, () => void this.#relaunch(place));
  }

  async #relaunch(place: Place): Promise<void> {
    place.restarts++;
    this.#restarts.inc();
    try {
      await this.#launch(place);
    } catch (error) {
      // It has died, and is replaced for that.
      if (place.worker === undefined) return;
      this.#options.log.error({ worker: place.index, reason: errorMessage(error) }, "a worker did not start");
      place.worker.kill();
    }
  }

  /** A worker that hangs may have a connection in hand for ever. */
  async #closeAcceptor(name?: string): Promise<void> {
    await this.#within(STOP_MS, this.#acceptor.close(name)).catch(() => undefined);
  }

  #tellAll(notice: PrimaryNotice): void {
    for (const { worker } of this.#places) worker?.channel.tell(notice);
  }

  /** Those that cannot do it are gone, or will be. */
  async #eachWorker(act: (worker: WorkerProcess) => Promise<unknown>): Promise<void> {
    const workers = this.#places.map(({ worker }) => worker).filter((worker) => worker !== undefined);
    await Promise.allSettled(workers.map(act));
  }

  /** What the workers that answer in time have to show. */
  async #showAll<N extends WorkerViewName>(name: N): Promise<WorkerViews[N][]> {
    const views: WorkerViews[N][] = [];
    await this.#eachServing(async (worker) => {
      views.push((await worker.channel.ask("show", name)) as WorkerViews[N]);
    });
    return views;
  }

  async #figures(): Promise<Figures> {
    await this.#gatherFigures();
    const live = this.#places.map(({ worker }) => worker?.figures).filter((figures) => figures !== undefined);
    const all = [this.#retired, ...live];
    return { requests: all.flatMap(({ requests }) => requests), processes: all.map(({ metrics }) => metrics) };
  }

  #gatherFigures(): Promise<void> {
    return this.#eachServing(async (worker) => {
      worker.figures = await worker.channel.ask("figures", undefined);
    });
  }

  async #eachServing(act: (worker: WorkerProcess) => Promise<void>): Promise<void> {
    const serving = this.#places.flatMap(({ worker, serves }) => (worker !== undefined && serves ? [worker] : []));
    await Promise.allSettled(serving.map((worker) => this.#within(SHOW_MS, act(worker))));
  }

  async #within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#options.clock.after(timeoutMs, () => reject(new TimeoutError(`no answer in ${timeoutMs} ms`)));
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      cancel();
    }
  }
}
