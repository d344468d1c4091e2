import type { Socket } from "node:net";
import { InternalError, systemClock } from "../../../shared/base/index.ts";
import { createLogger, Metrics } from "../../../shared/obs/index.ts";
import { Subjects } from "../../../shared/wire/index.ts";
import { type Listener, MAX_CONNECTIONS } from "../listener.ts";
import { LogLevel } from "../log-level.ts";
import { LocalPlane } from "../plane/local-plane.ts";
import { Share } from "../share.ts";
import { Channel, type Post } from "./channel.ts";
import type {
  BusName,
  PrimaryNotice,
  PrimaryQuestions,
  StartOrder,
  WorkerFigures,
  WorkerNotice,
  WorkerQuestions,
} from "./messages.ts";
import { RelayedBus } from "./relayed-bus.ts";
import { RelayedTables } from "./relayed-table.ts";

/** What there is from "start" on. */
interface Running {
  readonly plane: LocalPlane;
  readonly tables: RelayedTables;
  readonly buses: Readonly<Record<BusName, RelayedBus>>;
  readonly logLevel: LogLevel;
}

/** The data plane of a worker process, with the primary for everything else. */
export class Worker {
  readonly #channel: Channel<PrimaryQuestions, WorkerQuestions, WorkerNotice, PrimaryNotice>;
  readonly #metrics = new Metrics("proxy");
  readonly #listeners = new Map<string, Listener>();
  readonly #onEnd: () => void;
  #running: Running | undefined;

  /** `post`: to the primary. `onEnd`: it has said that all is done. */
  constructor(post: Post, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#channel = new Channel<PrimaryQuestions, WorkerQuestions, WorkerNotice, PrimaryNotice>({
      post,
      answers: {
        start: (order) => this.#start(order),
        connection: ({ listener }, socket) => this.#accept(listener, socket),
        closeListeners: async (name) => {
          await this.#started.plane.closeListeners(name);
          return undefined;
        },
        show: (name) => this.#started.plane.show(name),
        figures: () => this.#figures(),
        tap: (order) => this.#started.plane.tap(order),
        stop: async () => {
          await this.#running?.plane.stop();
          return undefined;
        },
      },
      hear: (notice) => this.#hear(notice),
    });
  }

  /** What the primary has sent. */
  receive(message: unknown, socket: Socket | undefined): void {
    this.#channel.receive(message, socket);
  }

  get #started(): Running {
    if (this.#running === undefined) throw new InternalError("the worker has not started");
    return this.#running;
  }

  #start({ config, index, logLevel, connected, material }: StartOrder): Promise<Record<string, number>> {
    const { instance, namespace } = config;
    const log = createLogger({ component: "proxy", level: logLevel }).child({ instance, namespace, worker: index });
    // Before the loggers that are made from it.
    const level = new LogLevel(log);
    const share = new Share(index, config.concurrency);
    const tables = new RelayedTables((notice) => this.#channel.tell(notice), systemClock, log);
    const subjects = new Subjects(config.meshPrefix);
    const relayed = (name: BusName): RelayedBus =>
      new RelayedBus({
        name,
        subjects,
        clock: systemClock,
        connected: connected.includes(name),
        ask: (question) => this.#channel.ask("request", question),
      });
    const buses = { bus: relayed("bus"), telemetryBus: relayed("telemetryBus") };
    const plane = new LocalPlane({
      config,
      share,
      tables: tables.tables,
      ...buses,
      clock: systemClock,
      log,
      metrics: this.#metrics,
      bind: (name, listener, address, port) => {
        listener.maxConnections = share.part(MAX_CONNECTIONS);
        this.#listeners.set(name, listener);
        return this.#channel.ask("bind", { name, address, port });
      },
    });
    this.#metrics.collectProcess();
    this.#running = { plane, tables, buses, logLevel: level };
    return plane.start(material);
  }

  /** A connection without a socket is gone already. */
  #accept(name: string, socket: Socket | undefined): undefined {
    const listener = this.#listeners.get(name);
    if (listener === undefined) socket?.destroy();
    else if (socket !== undefined) listener.accept(socket);
    return undefined;
  }

  async #figures(): Promise<WorkerFigures> {
    const { requests } = await this.#started.plane.show("figures");
    return { requests, metrics: await this.#metrics.registry.getMetricsAsJSON() };
  }

  #hear(notice: PrimaryNotice): void {
    const running = this.#running;
    switch (notice.type) {
      case "key":
        running?.tables.update(notice.update);
        return;
      case "connected":
        if (running !== undefined) running.buses[notice.bus].connected = notice.connected;
        return;
      case "renew":
        running?.plane.renew(notice.material);
        return;
      case "announceClose":
        running?.plane.announceClose();
        return;
      case "logLevel":
        running?.logLevel.set(notice.level);
        return;
      case "end":
        this.#onEnd();
        return;
    }
  }
}
