import type { Socket } from "node:net";
import { InternalError, systemClock } from "../../../shared/base/index.ts";
import { EventLoopWatchdog } from "../../../shared/bus/index.ts";
import { createLogger, Metrics } from "../../../shared/obs/index.ts";
import { Subjects } from "../../../shared/wire/index.ts";
import { type Listener, MAX_CONNECTIONS } from "../listener.ts";
import { LogLevel } from "../log-level.ts";
import { LocalPlane } from "../plane/local-plane.ts";
import { Share } from "../share.ts";
import { Channel } from "./channel.ts";
import {
  BUS_NAMES,
  type BusName,
  type PrimaryNotice,
  type PrimaryQuestions,
  type StartOrder,
  type WorkerNotice,
  type WorkerQuestions,
} from "./messages.ts";
import { RelayedBus } from "./relayed-bus.ts";
import { RelayedTables } from "./relayed-table.ts";

/*
 * A worker: the data plane of one of several processes, with the primary for everything else. It lives as long as the
 * channel to the primary does, and ends when it is told to: signals to the process group are the primary's affair.
 */

/** What there is from "start" on. */
interface Running {
  readonly plane: LocalPlane;
  readonly tables: RelayedTables;
  readonly buses: Readonly<Record<BusName, RelayedBus>>;
  readonly logLevel: LogLevel;
}

const metrics = new Metrics("proxy");
const listeners = new Map<string, Listener>();
let running: Running | undefined;

const channel = new Channel<PrimaryQuestions, WorkerQuestions, WorkerNotice, PrimaryNotice>({
  post: (message, _socket, onFailed) =>
    process.send?.(message, undefined, undefined, (error) => {
      if (error !== null) onFailed(error);
    }),
  answers: {
    start: (order) => start(order),
    connection: ({ listener }, socket) => accept(listener, socket),
    async closeListeners(name) {
      await started().plane.closeListeners(name);
      return undefined;
    },
    show: (name) => started().plane.show(name),
    async figures() {
      const { requests } = await started().plane.show("figures");
      return { requests, metrics: await metrics.registry.getMetricsAsJSON() };
    },
    async stop() {
      await running?.plane.stop();
      return undefined;
    },
  },
  hear(notice) {
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
      case "end":
        process.exit(0);
        return;
      case "logLevel":
        running?.logLevel.set(notice.level);
        return;
    }
  },
});

function started(): Running {
  if (running === undefined) throw new InternalError("the worker has not started");
  return running;
}

function start({ config, index, logLevel, connected, material }: StartOrder): Promise<Record<string, number>> {
  const { instance, namespace } = config;
  const log = createLogger({ component: "proxy", level: logLevel }).child({ instance, namespace, worker: index });
  // Before the loggers that are made from it.
  const level = new LogLevel(log);
  const share = new Share(index, config.concurrency);
  const tables = new RelayedTables((notice) => channel.tell(notice), systemClock, log);
  const subjects = new Subjects(config.meshPrefix);
  const [bus, telemetryBus] = BUS_NAMES.map(
    (name) =>
      new RelayedBus({
        name,
        subjects,
        clock: systemClock,
        connected: connected.includes(name),
        ask: (question) => channel.ask("request", question),
      }),
  ) as [RelayedBus, RelayedBus];
  const plane = new LocalPlane({
    config,
    share,
    tables: tables.tables,
    bus,
    telemetryBus,
    clock: systemClock,
    log,
    metrics,
    bind(name, listener, address, port) {
      listener.maxConnections = share.part(MAX_CONNECTIONS);
      listeners.set(name, listener);
      return channel.ask("bind", { name, address, port });
    },
  });
  metrics.collectProcess();
  running = { plane, tables, buses: { bus, telemetryBus }, logLevel: level };
  return plane.start(material);
}

/** Gone already when there is no socket. */
function accept(name: string, socket: Socket | undefined): undefined {
  const listener = listeners.get(name);
  if (listener === undefined) socket?.destroy();
  else if (socket !== undefined) listener.accept(socket);
  return undefined;
}

new EventLoopWatchdog({ clock: systemClock });
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.on("message", (message, socket) => channel.receive(message, socket as Socket | undefined));
process.on("disconnect", () => process.exit(0));
