import { Backoff, type Clock, type Deferred, deferred, errorMessage, jittered, sleep } from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import type { Bus } from "./bus.ts";
import type { ConnectionSubscription } from "./connection.ts";
import { JetStream, type StreamConfig } from "./jetstream.ts";
import type { BusMessage } from "./message.ts";

/*
 * Messages that wait for a consumer: a bounded work-queue stream with one durable pull consumer, one message in hand
 * at a time, acknowledged when its handler is done. A full stream refuses new messages: the publisher is told, nothing
 * already stored is lost.
 *
 * A handler that throws keeps its message in hand and gets it again after a pause, for as long as it takes: given
 * back, it would be overtaken by those behind it, and the older of two changes would win. So the server delivers a
 * message again only when a consumer went away with it. One that has outlived several of them is likely what ended
 * them: it is handed to `onGivenUp` instead, and done.
 */

export interface DurableQueueOptions {
  /** A connection into account STORE. */
  readonly bus: Bus;
  readonly stream: string;
  readonly subject: string;
  /** The consumer's name. */
  readonly durable: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default 10 000. */
  readonly maxMessages?: number;
  /** Default 64 MiB. */
  readonly maxBytes?: number;
}

/** One stored message; `data` is a copy. */
export interface QueuedMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** 1 at the first delivery. */
  readonly delivery: number;
  text(): string;
  header(name: string): string | undefined;
}

export interface QueueConsumption {
  /** Resolves when the message in hand is done. */
  stop(): Promise<void>;
}

/** How long those behind a message wait when its consumer was killed: little more than the election of the next. */
const ACK_WAIT_MS = 5_000;
const PULL_MS = 5_000;
const PULL_GRACE_MS = 1_000;
const RETRY = { baseMs: 1_000, maxMs: 10_000 } as const;
const MAX_DELIVERIES = 10;
const encoder = new TextEncoder();

export class DurableQueue {
  readonly #options: DurableQueueOptions;
  readonly #jetStream: JetStream;

  constructor(options: DurableQueueOptions) {
    this.#options = options;
    this.#jetStream = new JetStream(options.bus);
  }

  /** Makes the stream and its consumer where they are missing. */
  async ensure(): Promise<void> {
    const { stream, subject, durable, maxMessages = 10_000, maxBytes = 64 * 1024 * 1024 } = this.#options;
    const config: StreamConfig = {
      name: stream,
      subjects: [subject],
      retention: "workqueue",
      storage: "file",
      num_replicas: 1,
      max_consumers: -1,
      max_msgs: maxMessages,
      max_bytes: maxBytes,
      max_msg_size: -1,
      max_age: 0,
      discard: "new",
      duplicate_window: 120_000_000_000,
    };
    await this.#jetStream.ensureStream(config);
    await this.#jetStream.call(`$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${durable}`, {
      stream_name: stream,
      config: {
        durable_name: durable,
        deliver_policy: "all",
        ack_policy: "explicit",
        replay_policy: "instant",
        ack_wait: ACK_WAIT_MS * 1_000_000,
        max_ack_pending: 1,
        max_deliver: -1,
      },
    });
  }

  /** Hands messages to the handler one by one, until stopped; survives the bus and a lost stream. */
  consume(
    handler: (message: QueuedMessage) => Promise<void>,
    onGivenUp: (message: QueuedMessage) => void = () => {},
  ): QueueConsumption {
    const abort = new AbortController();
    const running = this.#run(handler, onGivenUp, abort.signal);
    return {
      stop: async () => {
        abort.abort();
        await running;
      },
    };
  }

  async #run(
    handler: (message: QueuedMessage) => Promise<void>,
    onGivenUp: (message: QueuedMessage) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { bus, clock, log } = this.#options;
    let isReady = false;
    const stopListening = bus.onState(() => {
      isReady = false;
    });
    const pull = new Pull(this.#options, signal);
    while (!signal.aborted) {
      try {
        if (!isReady) {
          await this.ensure();
          isReady = true;
        }
        const message = await pull.next();
        if (message === "gone") isReady = false;
        else if (message !== undefined) await this.#handle(message, handler, onGivenUp, signal);
      } catch (error) {
        isReady = false;
        if (signal.aborted) break;
        log.debug({ reason: errorMessage(error) }, "the queue does not answer; trying again");
        await sleep(clock, jittered(RETRY.baseMs, 0.5), signal).catch(() => undefined);
      }
    }
    stopListening();
    await pull.close();
  }

  async #handle(
    message: BusMessage,
    handler: (message: QueuedMessage) => Promise<void>,
    onGivenUp: (message: QueuedMessage) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { bus, log, clock } = this.#options;
    const reply = message.reply ?? "";
    const answer = (text: string) => bus.publishBytes(reply, encoder.encode(text));
    const queued = toQueued(message);
    if (queued.delivery > MAX_DELIVERIES) {
      log.error({ delivery: queued.delivery }, "a queued message was given up: its consumers ended again and again");
      onGivenUp(queued);
      answer("+TERM");
      return;
    }
    const cancelKeepAlive = clock.every(ACK_WAIT_MS / 3, () => answer("+WPI"));
    const backoff = new Backoff(RETRY);
    try {
      while (!signal.aborted) {
        try {
          await handler(queued);
          answer("+ACK");
          return;
        } catch (error) {
          log.warn({ reason: errorMessage(error) }, "a queued message failed; it will be tried again");
          await sleep(clock, RETRY.baseMs / 2 + backoff.nextMs(), signal).catch(() => undefined);
        }
      }
      answer("-NAK");
    } finally {
      cancelKeepAlive();
    }
  }
}

function toQueued(message: BusMessage): QueuedMessage {
  const data = Uint8Array.from(message.data);
  return {
    subject: message.subject,
    data,
    delivery: deliveryCount(message.reply ?? ""),
    text: () => Buffer.from(data).toString("utf8"),
    header: (name) => message.header(name),
  };
}

/** Asks the consumer for one message at a time, on an inbox of its own. */
class Pull {
  readonly #options: DurableQueueOptions;
  readonly #signal: AbortSignal;
  readonly #inbox: string;
  readonly #subscription: ConnectionSubscription;
  #waiting: Deferred<BusMessage | "gone" | undefined> | undefined;

  constructor(options: DurableQueueOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#inbox = options.bus.newInbox();
    this.#subscription = options.bus.subscribe(this.#inbox, (message) => this.#onMessage(message));
    signal.addEventListener("abort", () => this.#waiting?.resolve(undefined), { once: true });
  }

  /** Undefined: nothing came in 5 s. `gone`: there is no such consumer, or no connection. */
  async next(): Promise<BusMessage | "gone" | undefined> {
    const { bus, stream, durable, clock } = this.#options;
    const waiting = deferred<BusMessage | "gone" | undefined>();
    this.#waiting = waiting;
    const stopListening = bus.onState((state) => {
      if (state === "disconnected") waiting.resolve("gone");
    });
    const cancel = clock.after(PULL_MS + PULL_GRACE_MS, () => waiting.resolve("gone"));
    try {
      const body = encoder.encode(JSON.stringify({ batch: 1, expires: PULL_MS * 1_000_000 }));
      const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`;
      if (this.#signal.aborted) return undefined;
      if (!bus.publishBytes(subject, body, { reply: this.#inbox })) {
        await sleep(clock, RETRY.baseMs, this.#signal).catch(() => undefined);
        return "gone";
      }
      return await waiting.promise;
    } finally {
      this.#waiting = undefined;
      stopListening();
      cancel();
    }
  }

  /** Gives back what the server sends to a request that nobody waits for any more: it would lie there unacknowledged. */
  async close(): Promise<void> {
    await this.#subscription.drain();
  }

  #onMessage(message: BusMessage): void {
    const isMessage = message.status === 0;
    if (this.#waiting === undefined) {
      // Too late: back to the stream at once, for whoever asks next.
      if (isMessage && message.reply !== undefined)
        this.#options.bus.publishBytes(message.reply, encoder.encode("-NAK"));
      return;
    }
    if (isMessage) this.#waiting.resolve(keep(message));
    else this.#waiting.resolve(message.status === 404 || message.status === 408 ? undefined : "gone");
  }
}

/** A message that outlives its receive buffer. */
function keep(message: BusMessage): BusMessage {
  const data = Uint8Array.from(message.data);
  return {
    subject: message.subject,
    reply: message.reply,
    data,
    status: message.status,
    header: (name) => message.header(name),
    text: () => Buffer.from(data).toString("utf8"),
    decode: (type) => type.decode(data),
  };
}

/** `$JS.ACK.<stream>.<consumer>.<delivered>...` */
function deliveryCount(reply: string): number {
  const count = Number(reply.split(".")[4]);
  return Number.isSafeInteger(count) ? count : 1;
}
