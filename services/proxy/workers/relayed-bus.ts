import { type Clock, deferred, TimeoutError, UnavailableError } from "../../../shared/base/index.ts";
import {
  asAnswer,
  type BusMessage,
  decodeMessage,
  type Requester,
  type RequestOptions,
  TYPE_HEADER,
} from "../../../shared/bus/index.ts";
import type { MessageType, Subjects } from "../../../shared/wire/index.ts";
import type { BusAnswer, BusName, BusQuestion } from "./messages.ts";

/** Questions under way beyond which more fail at once, for each bus. */
const MAX_IN_FLIGHT = 8_192;

export interface RelayedBusOptions {
  readonly name: BusName;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly connected: boolean;
  ask(question: BusQuestion): Promise<BusAnswer>;
}

/**
 * A connection of the primary, as a worker asks on it. Time is kept here: a primary that is busy, or hangs, makes
 * nobody wait longer than he wanted to.
 */
export class RelayedBus implements Requester {
  /** As the primary says. */
  connected: boolean;
  readonly #options: RelayedBusOptions;
  #inFlight = 0;

  constructor(options: RelayedBusOptions) {
    this.#options = options;
    this.connected = options.connected;
  }

  get subjects(): Subjects {
    return this.#options.subjects;
  }

  async request<In, Out>(
    subject: string,
    type: MessageType<unknown, In>,
    value: In,
    replyType: MessageType<Out, never>,
    { timeoutMs, signal, headers }: RequestOptions,
  ): Promise<Out> {
    if (!this.connected) throw new UnavailableError("not connected to NATS");
    if (this.#inFlight >= MAX_IN_FLIGHT) throw new UnavailableError(`${this.#inFlight} requests are in flight`);
    const { name, clock, ask } = this.#options;
    const given = deferred<BusAnswer>();
    const onAbort = (): void => given.reject(signal?.reason);
    const cancel = clock.after(timeoutMs, () =>
      given.reject(new TimeoutError(`${subject}: no answer within ${timeoutMs} ms`)),
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#inFlight++;
    if (signal?.aborted) onAbort();
    void ask({
      bus: name,
      subject,
      data: type.encode(value),
      headers: { ...headers, [TYPE_HEADER]: type.name },
      timeoutMs,
    })
      .then(given.resolve, given.reject)
      .finally(() => this.#inFlight--);
    try {
      return asAnswer(new RelayedMessage(await given.promise)).decode(replyType);
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

class RelayedMessage implements BusMessage {
  readonly reply = undefined;
  readonly #answer: BusAnswer;

  constructor(answer: BusAnswer) {
    this.#answer = answer;
  }

  get subject(): string {
    return this.#answer.subject;
  }

  get data(): Uint8Array {
    return this.#answer.data;
  }

  get status(): number {
    return this.#answer.status;
  }

  header(name: string): string | undefined {
    return this.#answer.headers[name];
  }

  text(): string {
    return new TextDecoder().decode(this.data);
  }

  decode<Out>(type: MessageType<Out, never>): Out {
    return decodeMessage(this, type);
  }
}
