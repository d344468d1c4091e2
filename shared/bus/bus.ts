import { randomBytes } from "node:crypto";
import { deferred, systemClock, UnavailableError } from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import type { MessageType, Subjects } from "../wire/index.ts";
import {
  type BusState,
  type BusStats,
  Connection,
  type ConnectionSubscription,
  type DeniedOperation,
  type ServerInfo,
} from "./connection.ts";
import { type BusHeaders, type BusMessage, parseJson, TYPE_HEADER } from "./message.ts";
import { ReplyMux } from "./reply-mux.ts";
import { asAnswer, type Requester, type RequestOptions } from "./requester.ts";
import { Responder, type ServeHandler, type ServeOptions } from "./responder.ts";
import { errorOf } from "./wire-error.ts";

/*
 * One connection to the bus. It never waits for a bus that is not there: requests fail at once, publishes answer
 * false and are counted. Whoever holds state that must arrive repeats it on "connected"; nothing is queued here.
 */

export interface BusOptions {
  /** Comma-separated `nats://host:port`. */
  readonly servers: string;
  readonly user?: string;
  readonly password?: string;
  readonly name: string;
  /** The prefix below which this user may subscribe, such as `_INBOX.pilot`. */
  readonly inboxPrefix: string;
  readonly subjects: Subjects;
  readonly log: Logger;
  /** How long `connectBus` waits for the first connection; default: for ever. */
  readonly connectTimeoutMs?: number;
}

export interface BusSubscription {
  close(): void;
}

export interface GatherOptions {
  /** Stop when the last answer is this long ago; default 150. */
  readonly quietMs?: number;
  /** Stop at the latest after this; default 1000. */
  readonly maxMs?: number;
}

const CLOSE_WAIT_MS = 5_000;
const NO_RESPONDERS = 503;
const encoder = new TextEncoder();

/** A bus that connects in the background: subscriptions made before are sent then, publishes and requests fail fast. */
export function openBus(options: BusOptions): Bus {
  return new Bus(options);
}

/** Resolves once connected. Throws UnavailableError after `connectTimeoutMs`. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const bus = openBus(options);
  try {
    await bus.whenConnected(options.connectTimeoutMs);
    return bus;
  } catch (error) {
    await bus.close();
    throw error;
  }
}

export class Bus implements Requester {
  readonly subjects: Subjects;
  readonly name: string;
  readonly log: Logger;
  readonly #connection: Connection;
  readonly #inboxPrefix: string;
  readonly #mux: ReplyMux;
  readonly #responders = new Set<Responder>();
  readonly #subscriptions = new Set<ConnectionSubscription>();

  constructor(options: BusOptions) {
    this.subjects = options.subjects;
    this.name = options.name;
    this.log = options.log;
    this.#inboxPrefix = options.inboxPrefix;
    this.#connection = new Connection(options, options.log);
    this.#mux = new ReplyMux(this.#connection, options.inboxPrefix);
    this.#connection.start();
  }

  get connected(): boolean {
    return this.#connection.connected;
  }

  get stats(): Readonly<BusStats> {
    return this.#connection.stats;
  }

  /** The server that it is connected to; undefined before the first connection. */
  get server(): ServerInfo | undefined {
    return this.#connection.server;
  }

  /** What the server denies from now on. */
  onDenied(listener: (denied: DeniedOperation) => void): () => void {
    return this.#connection.onDenied(listener);
  }

  onState(listener: (state: BusState) => void): () => void {
    return this.#connection.onState(listener);
  }

  /** Throws UnavailableError after `timeoutMs`; default: waits for ever. */
  async whenConnected(timeoutMs?: number): Promise<void> {
    if (this.connected) return;
    const done = deferred<void>();
    const stop = this.onState((state) => {
      if (state === "connected") done.resolve();
    });
    const cancel =
      timeoutMs === undefined
        ? () => {}
        : systemClock.after(timeoutMs, () => {
            const cause = this.#connection.lastDialError;
            done.reject(new UnavailableError(`not connected to NATS after ${timeoutMs} ms`, { cause }));
          });
    try {
      await done.promise;
    } finally {
      stop();
      cancel();
    }
  }

  /** False when it was not sent: disconnected or over the outbound bound; counted. */
  publish<In>(subject: string, type: MessageType<unknown, In>, value: In): boolean {
    return this.#connection.publish(subject, type.encode(value), undefined, { [TYPE_HEADER]: type.name });
  }

  publishJson(subject: string, value: unknown, headers?: BusHeaders): boolean {
    return this.#connection.publish(subject, encoder.encode(JSON.stringify(value)), undefined, headers);
  }

  publishBytes(subject: string, data: Uint8Array, options: { reply?: string; headers?: BusHeaders } = {}): boolean {
    return this.#connection.publish(subject, data, options.reply, options.headers);
  }

  async request<In, Out>(
    subject: string,
    type: MessageType<unknown, In>,
    value: In,
    replyType: MessageType<Out, never>,
    options: RequestOptions,
  ): Promise<Out> {
    const headers = { ...options.headers, [TYPE_HEADER]: type.name };
    const answer = await this.requestRaw(subject, type.encode(value), { ...options, headers });
    return asAnswer(answer).decode(replyType);
  }

  /** A string body goes as it is, anything else as JSON. The answer is parsed JSON, undefined when empty. */
  async requestJson(subject: string, body: string | object, options: RequestOptions): Promise<unknown> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const answer = asAnswer(await this.requestRaw(subject, encoder.encode(text), options));
    return answer.data.length === 0 ? undefined : parseJson(answer);
  }

  /** One answer, whatever it is, but for "no responders", which throws UnavailableError. */
  async requestRaw(subject: string, data: Uint8Array, options: RequestOptions): Promise<BusMessage> {
    const { stats } = this.#connection;
    stats.requests++;
    try {
      if (!this.connected) throw new UnavailableError("not connected to NATS");
      this.#connection.checkSize(subject, data.length);
      const answer = await this.#mux.one(subject, options.timeoutMs, options.signal, (reply) =>
        this.#connection.publish(subject, data, reply, options.headers),
      );
      if (answer.status === NO_RESPONDERS && answer.data.length === 0)
        throw new UnavailableError(`${subject}: nobody listens`);
      return answer;
    } catch (error) {
      stats.requestsFailed++;
      throw error;
    }
  }

  /** All good answers until it has been quiet, or `maxMs` are over; before the first answer only `maxMs` counts. */
  async gather<In, Out>(
    subject: string,
    type: MessageType<unknown, In>,
    value: In,
    replyType: MessageType<Out, never>,
    options: GatherOptions = {},
  ): Promise<Out[]> {
    const { quietMs = 150, maxMs = 1_000 } = options;
    const answers: Out[] = [];
    const done = deferred<void>();
    let cancelQuiet = () => {};
    const { reply, release } = this.#mux.expect(subject, {
      onReply(message) {
        if (message.status === NO_RESPONDERS) {
          done.resolve();
          return true;
        }
        if (errorOf(message) === undefined) answers.push(message.decode(replyType));
        cancelQuiet();
        cancelQuiet = systemClock.after(quietMs, () => done.resolve());
        return false;
      },
      onFailure: (error) => done.reject(error),
    });
    const cancelMax = systemClock.after(maxMs, () => done.resolve());
    try {
      this.#connection.stats.requests++;
      if (!this.#connection.publish(subject, type.encode(value), reply, { [TYPE_HEADER]: type.name })) {
        throw new UnavailableError("not connected to NATS");
      }
      await done.promise;
      return answers;
    } finally {
      release();
      cancelQuiet();
      cancelMax();
    }
  }

  /** The handler's throw (or rejection) is caught, counted and logged. */
  subscribe(
    subject: string,
    handler: (message: BusMessage) => unknown,
    options: { queue?: string } = {},
  ): ConnectionSubscription {
    const live = this.#connection.subscribe(subject, options.queue, handler);
    this.#subscriptions.add(live);
    return {
      close: () => {
        this.#subscriptions.delete(live);
        live.close();
      },
      drain: () => {
        this.#subscriptions.delete(live);
        return live.drain();
      },
    };
  }

  /**
   * Answers requests; a thrown error becomes an error answer, `undefined` no answer. Requests that are on their way
   * when it is closed are still answered.
   */
  serve(subject: string, handler: ServeHandler, options: ServeOptions = {}): BusSubscription {
    const responder = new Responder(this.#connection, this.log, subject, handler, options);
    this.#responders.add(responder);
    return {
      close: () => {
        responder.close();
        void responder.whenIdle().then(() => this.#responders.delete(responder));
      },
    };
  }

  /** A subject of this client's own on which answers can be received. */
  newInbox(): string {
    return `${this.#inboxPrefix}.${randomBytes(9).toString("hex")}`;
  }

  /** Resolves when the server has everything sent so far: the only back-pressure there is. */
  flush(): Promise<void> {
    return this.#connection.flush();
  }

  /** Stops subscriptions, waits (5 s at most) for requests being served, flushes, closes. */
  async close(): Promise<void> {
    if (this.#connection.closed) return;
    for (const live of this.#subscriptions) live.close();
    this.#subscriptions.clear();
    const responders = [...this.#responders];
    for (const responder of responders) responder.close();
    const waited = deferred<void>();
    const cancel = systemClock.after(CLOSE_WAIT_MS, () => waited.resolve());
    await Promise.race([Promise.all(responders.map((responder) => responder.whenIdle())), waited.promise]);
    cancel();
    if (this.connected) await this.flush().catch(() => undefined);
    this.#mux.failAll(new UnavailableError("the bus connection is closed"));
    await this.#connection.close();
  }
}
