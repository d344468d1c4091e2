import { randomBytes } from "node:crypto";
import { DeniedError, deferred, type MeshError, systemClock, TimeoutError, UnavailableError } from "../base/index.ts";
import type { Connection } from "./connection.ts";
import type { BusMessage } from "./message.ts";

/** One expected answer, or a series of them. */
export interface Expectation {
  /** True when this was the last one. */
  onReply(message: BusMessage): boolean;
  onFailure(error: MeshError): void;
}

/**
 * One subscription for the answers to all requests of a connection. The library has its own, but lets a request run
 * to its timeout when the connection breaks; here all that wait fail at once, and a denied publish fails its request.
 */
export class ReplyMux {
  readonly #prefix: string;
  readonly #waiting = new Map<string, Expectation & { readonly subject: string }>();
  #next = 0;

  constructor(connection: Connection, inboxPrefix: string) {
    this.#prefix = `${inboxPrefix}.${randomBytes(9).toString("hex")}.`;
    connection.subscribe(`${this.#prefix}*`, undefined, (message) => this.#dispatch(message));
    connection.onState((state) => {
      if (state === "disconnected") this.failAll(new UnavailableError("disconnected from NATS"));
    });
    connection.onDenied(({ operation, subject }) => {
      if (operation !== "publish") return;
      for (const [token, expectation] of this.#waiting) {
        if (expectation.subject !== subject) continue;
        this.#waiting.delete(token);
        expectation.onFailure(new DeniedError(`not allowed to publish ${subject}`));
      }
    });
  }

  /** Answers to the returned reply subject go to the expectation until `release`. */
  expect(subject: string, expectation: Expectation): { reply: string; release: () => void } {
    const token = (this.#next++).toString(36);
    this.#waiting.set(token, { ...expectation, subject });
    return { reply: this.#prefix + token, release: () => this.#waiting.delete(token) };
  }

  /** Waits for one answer; `send` publishes the request with the given reply subject and says whether it went out. */
  one(
    subject: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    send: (reply: string) => boolean,
  ): Promise<BusMessage> {
    const answer = deferred<BusMessage>();
    const finish = () => {
      cancelTimer();
      release();
      signal?.removeEventListener("abort", onAbort);
    };
    const onAbort = () => {
      finish();
      answer.reject(signal?.reason);
    };
    const { reply, release } = this.expect(subject, {
      onReply(message) {
        finish();
        answer.resolve(message);
        return true;
      },
      onFailure(error) {
        finish();
        answer.reject(error);
      },
    });
    const cancelTimer = systemClock.after(timeoutMs, () => {
      finish();
      answer.reject(new TimeoutError(`${subject}: no answer in ${timeoutMs} ms`));
    });
    if (signal?.aborted) onAbort();
    else {
      signal?.addEventListener("abort", onAbort, { once: true });
      if (!send(reply)) {
        finish();
        answer.reject(new UnavailableError("not connected to NATS, or too much on its way"));
      }
    }
    return answer.promise;
  }

  failAll(error: MeshError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const expectation of waiting) expectation.onFailure(error);
  }

  #dispatch(message: BusMessage): void {
    const token = message.subject.slice(this.#prefix.length);
    const expectation = this.#waiting.get(token);
    if (expectation?.onReply(message)) this.#waiting.delete(token);
  }
}
