import { type ConnectionOptions, connect, type NatsConnection, type Subscription } from "nats";
import {
  Backoff,
  deferred,
  errorMessage,
  InvalidArgumentError,
  LruMap,
  sleep,
  systemClock,
  UnavailableError,
} from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import { type BusHeaders, type BusMessage, NatsMessage, toNatsHeaders } from "./message.ts";

/*
 * The only module that talks to the NATS client library; a newer client is a change of this file and of message.ts.
 *
 * What the library leaves to its user, and where it is done here:
 * - a throw in a subscription callback ends its read loop without a sign: every callback is wrapped, the error is
 *   counted and logged;
 * - what is published while disconnected vanishes, and nothing outbound is bounded: `publish` answers false when
 *   there is no connection or more than MAX_UNFLUSHED_BYTES are on their way, and counts. How many are on their way
 *   is known from the server's answer to a flush, which starts by itself every FLUSH_EVERY_BYTES;
 * - the first connection is the same endless affair as every later one, but it must be possible to give up and to
 *   see why it fails: so first dials are a loop here, and subscriptions made before it are kept and sent then. The
 *   same loop takes over should the library ever give up.
 */

export interface ConnectionSettings {
  /** Comma-separated `nats://host:port`. */
  readonly servers: string;
  readonly user?: string;
  readonly password?: string;
  readonly name: string;
  readonly inboxPrefix: string;
}

/** `slow-consumer`: connected, but messages may have been lost. */
export type BusState = "connected" | "disconnected" | "slow-consumer";

/** What a server says of itself. */
export interface ServerInfo {
  /** Such as `2.10.24`. */
  readonly version: string;
  readonly name: string;
  /** Whether this server has JetStream at all, whichever account it is for. */
  readonly jetStream: boolean;
  readonly maxPayloadBytes: number;
}

export interface DeniedOperation {
  readonly operation: "publish" | "subscription";
  readonly subject: string;
}

export interface BusStats {
  published: number;
  /** Publishes refused: not connected, too much on its way, or too large. */
  publishDropped: number;
  received: number;
  requests: number;
  requestsFailed: number;
  /** Handlers that threw. */
  callbackErrors: number;
  /** Publishes and subscriptions that the server denied. */
  permissionErrors: number;
  /** Requests dropped because their reply subject is no inbox. */
  repliesRefused: number;
  /** Requests dropped because they were an answer of the server, delivered there at its asker's wish. */
  requestsForged: number;
  /** Requests answered "unavailable" because too many were in flight. */
  overloaded: number;
  disconnects: number;
}

const MAX_UNFLUSHED_BYTES = 16 * 1024 * 1024;
const FLUSH_EVERY_BYTES = 64 * 1024;
const FLUSH_TIMEOUT_MS = 5_000;
const MESSAGE_OVERHEAD_BYTES = 64;
const LOG_EVERY_MS = 30_000;

const OPTIONS: ConnectionOptions = {
  maxReconnectAttempts: -1,
  reconnectTimeWait: 250,
  reconnectJitter: 750,
  reconnectJitterTLS: 2_000,
  pingInterval: 10_000,
  maxPingOut: 2,
  timeout: 5_000,
  ignoreAuthErrorAbort: true,
  noAsyncTraces: true,
};

export interface ConnectionSubscription {
  /** Nothing is handled any more, also not what is on its way. */
  close(): void;
  /** Nothing more is asked for; resolves when what was on its way has been handed over. */
  drain(): Promise<void>;
}

interface LiveSubscription {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly callback: (message: BusMessage) => unknown;
  live: Subscription | undefined;
}

export class Connection {
  readonly stats: BusStats = {
    published: 0,
    publishDropped: 0,
    received: 0,
    requests: 0,
    requestsFailed: 0,
    callbackErrors: 0,
    permissionErrors: 0,
    repliesRefused: 0,
    requestsForged: 0,
    overloaded: 0,
    disconnects: 0,
  };
  readonly #settings: ConnectionSettings;
  readonly #log: Logger;
  readonly #subscriptions = new Set<LiveSubscription>();
  readonly #stateListeners = new Set<(state: BusState) => void>();
  readonly #deniedListeners = new Set<(denied: DeniedOperation) => void>();
  readonly #stopDialing = new AbortController();
  #client: NatsConnection | undefined;
  #connected = false;
  #closed = false;
  #unflushedBytes = 0;
  #settling = false;
  readonly #nextLogOf = new LruMap<string, number>(100);
  #lastDialError: unknown;

  constructor(settings: ConnectionSettings, log: Logger) {
    this.#settings = settings;
    this.#log = log;
  }

  get connected(): boolean {
    return this.#connected;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get server(): ServerInfo | undefined {
    const info = this.#client?.info;
    if (info === undefined) return undefined;
    const { version, server_name: name, jetstream: jetStream, max_payload: maxPayloadBytes } = info;
    return { version, name, jetStream: jetStream === true, maxPayloadBytes };
  }

  /** Why the last attempt to connect failed. */
  get lastDialError(): unknown {
    return this.#lastDialError;
  }

  /** Starts to connect and goes on until it is connected or closed. */
  start(): void {
    void this.#dial();
  }

  onState(listener: (state: BusState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  onDenied(listener: (denied: DeniedOperation) => void): () => void {
    this.#deniedListeners.add(listener);
    return () => this.#deniedListeners.delete(listener);
  }

  /** False, and counted, when it was not sent. */
  publish(subject: string, data: Uint8Array, reply?: string, headers?: BusHeaders): boolean {
    const client = this.#client;
    const size = data.length + subject.length + MESSAGE_OVERHEAD_BYTES;
    if (!this.#connected || client === undefined || this.#unflushedBytes + size > MAX_UNFLUSHED_BYTES) {
      this.stats.publishDropped++;
      return false;
    }
    try {
      const natsHeaders = toNatsHeaders(headers);
      client.publish(subject, data, {
        ...(reply === undefined ? {} : { reply }),
        ...(natsHeaders === undefined ? {} : { headers: natsHeaders }),
      });
    } catch (error) {
      this.stats.publishDropped++;
      this.#logError(error, `publish to ${subject} failed`);
      return false;
    }
    this.stats.published++;
    this.#unflushedBytes += size;
    if (this.#unflushedBytes >= FLUSH_EVERY_BYTES && !this.#settling) void this.#settle(client);
    return true;
  }

  /** Throws InvalidArgumentError when the server would refuse a payload of this size. */
  checkSize(subject: string, bytes: number): void {
    const limit = this.#client?.info?.max_payload ?? 1024 * 1024;
    if (bytes > limit) throw new InvalidArgumentError(`${subject}: ${bytes} bytes are more than the server's ${limit}`);
  }

  /** The callback may throw or reject: it is counted and logged. Lives through reconnects until closed. */
  subscribe(
    subject: string,
    queue: string | undefined,
    callback: (message: BusMessage) => unknown,
  ): ConnectionSubscription {
    const subscription: LiveSubscription = { subject, queue, callback, live: undefined };
    this.#subscriptions.add(subscription);
    if (this.#client !== undefined) this.#attach(this.#client, subscription);
    const close = () => {
      this.#subscriptions.delete(subscription);
      try {
        subscription.live?.unsubscribe();
      } catch {
        // The connection is closed, and the subscription with it.
      }
    };
    const drain = async () => {
      // Without a connection nothing is on its way, and only closing keeps the client from subscribing again.
      if (this.#connected && subscription.live !== undefined && this.#subscriptions.delete(subscription)) {
        const waited = deferred<void>();
        const cancel = systemClock.after(FLUSH_TIMEOUT_MS, () => waited.resolve());
        await Promise.race([subscription.live.drain().catch(() => undefined), waited.promise]);
        cancel();
      }
      close();
    };
    return { close, drain };
  }

  /** Resolves when the server has everything sent so far. Throws UnavailableError when disconnected. */
  async flush(): Promise<void> {
    const client = this.#client;
    if (!this.#connected || client === undefined) throw new UnavailableError("not connected to NATS");
    let cancel = () => {};
    const timeout = new Promise<never>((_, reject) => {
      cancel = systemClock.after(FLUSH_TIMEOUT_MS, () => reject(new UnavailableError("flush: NATS does not answer")));
    });
    try {
      await Promise.race([client.flush(), timeout]);
    } catch (error) {
      throw error instanceof UnavailableError
        ? error
        : new UnavailableError("disconnected from NATS", { cause: error });
    } finally {
      cancel();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopDialing.abort(new UnavailableError("closed"));
    this.#subscriptions.clear();
    this.#setConnected(false);
    await this.#client?.close();
  }

  async #dial(): Promise<void> {
    const backoff = new Backoff({ baseMs: 250, maxMs: 2_000 });
    while (!this.#closed) {
      try {
        const client = await connect(this.#options());
        if (this.#closed) await client.close();
        else this.#adopt(client);
        return;
      } catch (error) {
        this.#lastDialError = error;
        this.#logError(error, "cannot connect to NATS yet");
        await sleep(systemClock, 50 + backoff.nextMs(), this.#stopDialing.signal).catch(() => undefined);
      }
    }
  }

  #options(): ConnectionOptions {
    const { servers, user, password, name, inboxPrefix } = this.#settings;
    return {
      ...OPTIONS,
      servers: servers.split(",").map((server) => server.trim()),
      name,
      inboxPrefix,
      ...(user === undefined ? {} : { user, pass: password ?? "" }),
    };
  }

  #adopt(client: NatsConnection): void {
    this.#client = client;
    for (const subscription of this.#subscriptions) this.#attach(client, subscription);
    void this.#watchStatus(client);
    void client.closed().then((error) => {
      if (this.#closed || this.#client !== client) return;
      this.#log.error({ err: error }, "the NATS client gave up; dialing anew");
      this.#setConnected(false);
      this.#client = undefined;
      void this.#dial();
    });
    this.#setConnected(true);
  }

  #attach(client: NatsConnection, subscription: LiveSubscription): void {
    const { subject, queue, callback } = subscription;
    try {
      subscription.live = client.subscribe(subject, {
        ...(queue === undefined ? {} : { queue }),
        callback: (error, message) => {
          // A denied subscription is reported here too; it is counted from the status event.
          if (error !== null) return;
          this.stats.received++;
          try {
            const result = callback(new NatsMessage(message));
            if (result instanceof Promise)
              result.catch((rejection: unknown) => this.#onCallbackError(subject, rejection));
          } catch (thrown) {
            this.#onCallbackError(subject, thrown);
          }
        },
      });
    } catch (error) {
      this.#logError(error, `subscribe to ${subject} failed`);
    }
  }

  #onCallbackError(subject: string, error: unknown): void {
    this.stats.callbackErrors++;
    this.#logError(error, `handler of ${subject} failed`);
  }

  async #watchStatus(client: NatsConnection): Promise<void> {
    for await (const status of client.status()) {
      if (this.#closed) return;
      switch (status.type) {
        case "disconnect":
          this.#setConnected(false);
          break;
        case "reconnect":
          this.#setConnected(true);
          break;
        case "error":
          this.#onStatusError(String(status.data), status.permissionContext);
          break;
      }
    }
  }

  #onStatusError(code: string, context: { operation: string; subject: string } | undefined): void {
    if (context !== undefined || code === "PERMISSIONS_VIOLATION") {
      this.stats.permissionErrors++;
      if (context === undefined) return;
      const operation = context.operation === "subscription" ? "subscription" : "publish";
      this.#logError(undefined, `NATS denies ${operation} on ${context.subject}`);
      for (const listener of this.#deniedListeners) listener({ operation, subject: context.subject });
      return;
    }
    this.#logError(undefined, `NATS reports ${code}`);
    if (this.#connected) this.#emit("slow-consumer");
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#unflushedBytes = 0;
    if (!connected) this.stats.disconnects++;
    if (!this.#closed)
      this.#log.info(
        { connection: this.#settings.name, connected },
        connected ? "connected to NATS" : "disconnected from NATS",
      );
    this.#emit(connected ? "connected" : "disconnected");
  }

  #emit(state: BusState): void {
    for (const listener of [...this.#stateListeners]) {
      try {
        listener(state);
      } catch (error) {
        this.#onCallbackError(state, error);
      }
    }
  }

  async #settle(client: NatsConnection): Promise<void> {
    this.#settling = true;
    const sent = this.#unflushedBytes;
    try {
      await client.flush();
      this.#unflushedBytes = Math.max(0, this.#unflushedBytes - sent);
    } catch {
      // Disconnected: the count starts anew with the connection.
    } finally {
      this.#settling = false;
    }
  }

  /** A broken peer must not fill the log: each text once in 30 s. */
  #logError(error: unknown, text: string): void {
    const now = systemClock.monotonic();
    if (now < (this.#nextLogOf.get(text) ?? 0)) return;
    this.#nextLogOf.set(text, now + LOG_EVERY_MS);
    this.#log.warn(error === undefined ? {} : { err: error, reason: errorMessage(error) }, text);
  }
}
