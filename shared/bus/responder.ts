import { errorMessage, MeshError, UnavailableError } from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import type { MessageType } from "../wire/index.ts";
import type { Connection, ConnectionSubscription } from "./connection.ts";
import { type BusHeaders, type BusMessage, isFromServer, TYPE_HEADER } from "./message.ts";
import { errorHeaders } from "./wire-error.ts";

/** What a handler answers: a protobuf message, or JSON. */
export type ServeReply =
  | { readonly type: MessageType<unknown, never>; readonly value: unknown }
  | { readonly json: unknown };

export type ServeHandler = (message: BusMessage) => Promise<ServeReply | undefined> | ServeReply | undefined;

export interface ServeOptions {
  readonly queue?: string;
  /** Beyond it requests are answered "unavailable" at once; default 1024. */
  readonly maxInFlight?: number;
  /** The prefix that a caller's reply subject must have besides being an inbox, told from the request's subject. */
  readonly callerInbox?: (subject: string) => string;
}

const EMPTY = new Uint8Array();
const encoder = new TextEncoder();

/** Typed helper for protobuf answers: `return protoReply(CheckResponse, {...})`. */
export function protoReply<In>(type: MessageType<unknown, In>, value: In): ServeReply {
  return { type, value };
}

/**
 * Serves one subject. A caller chooses where its answer goes, so an answer goes only to an inbox (`_INBOX.`, or `_R_.`
 * for a caller in another account): a request with any other reply subject is dropped unhandled. A request without
 * one is handled and not answered. What the server itself says is no request: it was steered here by its asker.
 */
export class Responder {
  readonly #connection: Connection;
  readonly #log: Logger;
  readonly #handler: ServeHandler;
  readonly #maxInFlight: number;
  readonly #callerInbox: ((subject: string) => string) | undefined;
  readonly #idleWaiters: (() => void)[] = [];
  readonly #subscription: ConnectionSubscription;
  #drained: Promise<void> | undefined;
  #inFlight = 0;

  constructor(connection: Connection, log: Logger, subject: string, handler: ServeHandler, options: ServeOptions) {
    this.#connection = connection;
    this.#log = log;
    this.#handler = handler;
    this.#maxInFlight = options.maxInFlight ?? 1024;
    this.#callerInbox = options.callerInbox;
    this.#subscription = connection.subscribe(subject, options.queue, (message) => this.#onRequest(message));
  }

  /** No new requests; those in flight, or on their way from the server, go on. */
  close(): void {
    this.#drained ??= this.#subscription.drain();
  }

  async whenIdle(): Promise<void> {
    await this.#drained;
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  #onRequest(message: BusMessage): void {
    const { stats } = this.#connection;
    const { reply } = message;
    if (isFromServer(message)) {
      stats.requestsForged++;
      return;
    }
    if (reply !== undefined && !this.#mayAnswer(message.subject, reply)) {
      stats.repliesRefused++;
      return;
    }
    if (this.#inFlight >= this.#maxInFlight) {
      stats.overloaded++;
      this.#answerError(reply, new UnavailableError("too many requests in flight"));
      return;
    }
    this.#inFlight++;
    let result: ReturnType<ServeHandler>;
    try {
      result = this.#handler(message);
    } catch (error) {
      this.#finish(message, reply, error);
      return;
    }
    if (result instanceof Promise) {
      result.then(
        (answer) => this.#complete(message, reply, answer),
        (error: unknown) => this.#finish(message, reply, error),
      );
    } else {
      this.#complete(message, reply, result);
    }
  }

  #mayAnswer(subject: string, reply: string): boolean {
    if (reply.startsWith("_R_.")) return true;
    if (!reply.startsWith("_INBOX.")) return false;
    if (this.#callerInbox === undefined) return true;
    try {
      return reply.startsWith(this.#callerInbox(subject));
    } catch {
      return false;
    }
  }

  #complete(message: BusMessage, reply: string | undefined, answer: ServeReply | undefined): void {
    try {
      if (reply !== undefined && answer !== undefined) {
        if ("json" in answer) this.#send(reply, encoder.encode(JSON.stringify(answer.json)));
        else this.#send(reply, answer.type.encode(answer.value as never), { [TYPE_HEADER]: answer.type.name });
      }
    } catch (error) {
      this.#finish(message, reply, error);
      return;
    }
    this.#leave();
  }

  #finish(message: BusMessage, reply: string | undefined, error: unknown): void {
    if (!(error instanceof MeshError)) {
      this.#connection.stats.callbackErrors++;
      this.#log.error({ err: error, subject: message.subject }, `handler failed: ${errorMessage(error)}`);
    }
    this.#answerError(reply, error);
    this.#leave();
  }

  #answerError(reply: string | undefined, error: unknown): void {
    if (reply !== undefined) this.#send(reply, EMPTY, errorHeaders(error));
  }

  #send(reply: string, data: Uint8Array, headers?: BusHeaders): void {
    this.#connection.checkSize(reply, data.length);
    this.#connection.publish(reply, data, undefined, headers);
  }

  #leave(): void {
    this.#inFlight--;
    if (this.#inFlight > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}
