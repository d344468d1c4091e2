import { TimeoutError } from "../base/index.ts";
import type { MessageType, Subjects } from "../wire/index.ts";
import type { BusHeaders, BusMessage } from "./message.ts";
import { errorOf } from "./wire-error.ts";

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly headers?: BusHeaders;
}

/** Whoever only asks on the bus needs no more of it; the connection may be another process's. */
export interface Requester {
  readonly subjects: Subjects;
  readonly connected: boolean;
  /** Throws UnavailableError at once when disconnected or nobody listens, TimeoutError, or the error answered. */
  request<In, Out>(
    subject: string,
    type: MessageType<unknown, In>,
    value: In,
    replyType: MessageType<Out, never>,
    options: RequestOptions,
  ): Promise<Out>;
}

/** The message, if it is a good answer; throws the error that it carries otherwise. */
export function asAnswer(message: BusMessage): BusMessage {
  const error = errorOf(message);
  if (error !== undefined) throw error;
  if (message.status !== 0) throw new TimeoutError(`${message.subject}: the server answered ${message.status}`);
  return message;
}
