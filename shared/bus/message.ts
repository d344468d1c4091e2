import { headers as createHeaders, type Msg, type MsgHdrs } from "nats";
import { WireError } from "../base/index.ts";
import type { MessageType } from "../wire/index.ts";

/** The header that names the protobuf message of a payload. */
export const TYPE_HEADER = "Mesh-Type";

export type BusHeaders = Readonly<Record<string, string>>;

/** A message as handlers see it. */
export interface BusMessage {
  readonly subject: string;
  readonly reply: string | undefined;
  /** A view of the receive buffer: copy what is to be kept. */
  readonly data: Uint8Array;
  /** The status that the server itself answered with (404, 503, ...), 0 in a message of a client. */
  readonly status: number;
  /** The first value of a header; undefined when absent or empty. */
  header(name: string): string | undefined;
  text(): string;
  /** Throws WireError unless `Mesh-Type` names this type and the bytes are one. */
  decode<Out>(type: MessageType<Out, never>): Out;
}

const utf8 = new TextDecoder();

export class NatsMessage implements BusMessage {
  readonly #message: Msg;

  constructor(message: Msg) {
    this.#message = message;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get reply(): string | undefined {
    return this.#message.reply || undefined;
  }

  get data(): Uint8Array {
    return this.#message.data;
  }

  get status(): number {
    return this.#message.headers?.code ?? 0;
  }

  header(name: string): string | undefined {
    return this.#message.headers?.get(name) || undefined;
  }

  text(): string {
    return utf8.decode(this.#message.data);
  }

  decode<Out>(type: MessageType<Out, never>): Out {
    return decodeMessage(this, type);
  }
}

/** Throws WireError unless the header names this type and the bytes are one. */
export function decodeMessage<Out>(message: BusMessage, type: MessageType<Out, never>): Out {
  const name = message.header(TYPE_HEADER);
  if (name !== type.name) throw new WireError(`${message.subject}: expected ${type.name}, got ${name ?? "no type"}`);
  return type.decode(message.data);
}

/**
 * Whether the server itself made the message: a status, or what a stream holds. A caller of JetStream has the answer
 * delivered to any subject that it names, past its permissions, so such a message is never a client's request.
 */
export function isFromServer(message: BusMessage): boolean {
  return message.status !== 0 || message.header("Nats-Stream") !== undefined;
}

/** Parses a message's body as JSON. Throws WireError. */
export function parseJson(message: BusMessage): unknown {
  try {
    return JSON.parse(message.text());
  } catch (error) {
    throw new WireError(`${message.subject}: not JSON`, { cause: error });
  }
}

/** The client library's header object; undefined when there are none. */
export function toNatsHeaders(headers: BusHeaders | undefined): MsgHdrs | undefined {
  if (headers === undefined) return undefined;
  let result: MsgHdrs | undefined;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    result ??= createHeaders();
    // A line break would end the header block.
    result.set(name, value.replace(/[\r\n]+/g, " "));
  }
  return result;
}
