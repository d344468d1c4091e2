import { errorMessage, UnavailableError } from "../shared/base/index.ts";
import { type Bus, type BusState, connectBus } from "../shared/bus/index.ts";
import { createLogger } from "../shared/obs/index.ts";
import { Subjects } from "../shared/wire/index.ts";
import { BoundedQueue } from "./bounded-queue.ts";
import { ConfigClient } from "./config-client.ts";
import { ConfigWatch, type WatchOptions } from "./config-watch.ts";
import type { ApplyResult } from "./resources.ts";
import type { MeshSettings } from "./settings.ts";
import { StreamScope } from "./stream-scope.ts";
import { TelemetryClient } from "./telemetry.ts";

export interface ConnectOptions extends MeshSettings {
  /** What the connection is called in NATS; default `lateen-client`. */
  readonly name?: string;
  /** How long the first connection may take; default 5 s. */
  readonly connectTimeoutMs?: number;
  /** What goes to standard error as JSON lines: trouble with the connection. Default `silent`. */
  readonly logLevel?: "silent" | "error" | "warn" | "info" | "debug";
}

const DEFAULT_SERVERS = "nats://127.0.0.1:4222";
const DEFAULT_USER = "operator";
const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 60_000;
const MAX_REJECTIONS = 1_000;

/**
 * Connects as an operator. The connection mends itself; what is asked for while it is away fails at once with
 * UnavailableError, and watches go on afterwards. Throws UnavailableError when no server answers in time.
 */
export async function connectMesh(options: ConnectOptions = {}): Promise<MeshClient> {
  const { servers = DEFAULT_SERVERS, user, password, prefix = "mesh", name = "lateen-client" } = options;
  const subjects = new Subjects(prefix);
  // The mesh's own timers let a process end; an open client keeps it alive, as an open socket would.
  const keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
  try {
    const bus = await connectBus({
      servers,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      name,
      inboxPrefix: subjects.inbox(user ?? DEFAULT_USER),
      subjects,
      log: createLogger({ component: name, level: options.logLevel ?? "silent" }),
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    });
    return new MeshClient(bus, () => clearInterval(keepAlive));
  } catch (error) {
    clearInterval(keepAlive);
    const why = error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : errorMessage(error);
    throw new UnavailableError(`cannot connect to ${servers}: ${why}`, { cause: error });
  }
}

/** One connection to one mesh. */
export class MeshClient implements AsyncDisposable {
  readonly config: ConfigClient;
  readonly telemetry: TelemetryClient;
  readonly #bus: Bus;
  readonly #onClose: () => void;
  readonly #scope = new StreamScope();

  constructor(bus: Bus, onClose: () => void) {
    this.#bus = bus;
    this.#onClose = onClose;
    this.config = new ConfigClient(bus);
    this.telemetry = new TelemetryClient(bus, this.#scope);
  }

  get connected(): boolean {
    return this.#bus.connected;
  }

  /** Called at each change; `slow-consumer`: connected, but messages may have been lost. Returns how to stop it. */
  onState(listener: (state: BusState) => void): () => void {
    return this.#bus.onState(listener);
  }

  /** What is there, then every change. Throws InvalidArgumentError for a kind that is not known. */
  watch(options: WatchOptions = {}): ConfigWatch {
    return new ConfigWatch(this.#bus, this.config, options, this.#scope);
  }

  /** What Pilot refuses, whoever handed it in. Of many that nobody reads the oldest are dropped, and counted. */
  rejections(options: { readonly signal?: AbortSignal } = {}): BoundedQueue<ApplyResult> {
    const { signal } = options;
    const queue = new BoundedQueue<ApplyResult>(MAX_REJECTIONS, () => {
      subscription.close();
      leave();
    });
    const subscription = this.#bus.subscribe(this.#bus.subjects.allConfigRejected(), (message) =>
      queue.push(JSON.parse(message.text()) as ApplyResult),
    );
    const leave = this.#scope.enter(queue, signal);
    return queue;
  }

  /** Ends watches and streams, waits until what was sent has arrived, and closes the connection. */
  async close(): Promise<void> {
    this.#scope.closeAll();
    await this.#bus.close();
    this.#onClose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
