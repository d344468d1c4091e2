import { ConflictError, InternalError, NotFoundError, UnavailableError, WireError } from "../base/index.ts";
import type { Bus } from "./bus.ts";
import { type BusHeaders, type BusMessage, parseJson } from "./message.ts";

/*
 * JetStream by its own requests, not by the library's managers: those assume rights that our users do not have
 * (`$JS.API.INFO`), keep waiting through a disconnect, and follow a bucket with consumers, of which a mesh would need one a
 * proxy. What is used here is all in nats-server 2.9.
 */

export const JS_TIMEOUT_MS = 3_000;

const NO_SUCH_STREAM = 10059;
const STREAM_EXISTS = 10058;
const WRONG_LAST_SEQUENCE = 10071;

export interface StreamInfo {
  /** Microseconds since the Unix epoch. */
  readonly createdUs: number;
  readonly lastSequence: number;
  readonly messages: number;
}

/** A stream as asked for: the fields of nats-server's stream configuration. */
export type StreamConfig = Readonly<Record<string, unknown>> & { readonly name: string };

/** Microseconds since the Unix epoch of an RFC 3339 time, whose fraction Date cuts to milliseconds. */
export function parseTimeUs(text: string): number {
  const match = /^(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const seconds = Date.parse(`${match?.[1]}${match?.[3]}`);
  if (match === null || Number.isNaN(seconds)) throw new WireError(`not a time: ${text}`);
  return seconds * 1000 + Number((match[2] ?? "").padEnd(6, "0").slice(0, 6));
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new WireError("JetStream: not an object");
  return value as Record<string, unknown>;
}

function toStreamInfo(answer: Record<string, unknown>): StreamInfo {
  const state = record(answer["state"]);
  return {
    createdUs: parseTimeUs(String(answer["created"])),
    lastSequence: Number(state["last_seq"]),
    messages: Number(state["messages"]),
  };
}

export class JetStream {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Throws NotFoundError when there is no such stream. */
  async streamInfo(stream: string): Promise<StreamInfo> {
    return toStreamInfo(await this.call(`$JS.API.STREAM.INFO.${stream}`, {}));
  }

  /** The subjects of a stream that hold a message, with the stream's state. */
  async streamSubjects(stream: string, filter: string): Promise<{ info: StreamInfo; subjects: string[] }> {
    const subjects: string[] = [];
    for (;;) {
      const answer = await this.call(`$JS.API.STREAM.INFO.${stream}`, {
        subjects_filter: filter,
        offset: subjects.length,
      });
      const page = Object.keys(record(record(answer["state"])["subjects"] ?? {}));
      subjects.push(...page);
      const total = Number(answer["total"] ?? subjects.length);
      if (page.length === 0 || subjects.length >= total) return { info: toStreamInfo(answer), subjects };
    }
  }

  /** Creates the stream, or brings an existing one to this configuration. */
  async ensureStream(config: StreamConfig): Promise<StreamInfo> {
    try {
      return toStreamInfo(await this.call(`$JS.API.STREAM.CREATE.${config.name}`, config));
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      return toStreamInfo(await this.call(`$JS.API.STREAM.UPDATE.${config.name}`, config));
    }
  }

  /** Stores a message and returns its sequence. Throws ConflictError, NotFoundError when no stream takes it. */
  async store(subject: string, data: Uint8Array, headers?: BusHeaders): Promise<number> {
    let answer: BusMessage;
    try {
      answer = await this.#bus.requestRaw(subject, data, {
        timeoutMs: JS_TIMEOUT_MS,
        ...(headers === undefined ? {} : { headers }),
      });
    } catch (error) {
      if (error instanceof UnavailableError && this.#bus.connected)
        throw new NotFoundError(`${subject}: no stream`, { cause: error });
      throw error;
    }
    return Number(this.#checked(subject, answer)["seq"]);
  }

  /** One API request. */
  async call(subject: string, body: object): Promise<Record<string, unknown>> {
    const data = new TextEncoder().encode(JSON.stringify(body));
    const answer = await this.#bus.requestRaw(subject, data, { timeoutMs: JS_TIMEOUT_MS });
    return this.#checked(subject, answer);
  }

  #checked(subject: string, answer: BusMessage): Record<string, unknown> {
    const result = record(parseJson(answer));
    if (result["error"] === undefined) return result;
    const { err_code: code, description, code: status } = record(result["error"]);
    const text = `${subject}: ${String(description)}`;
    if (code === WRONG_LAST_SEQUENCE || code === STREAM_EXISTS) throw new ConflictError(text);
    if (code === NO_SUCH_STREAM || status === 404) throw new NotFoundError(text);
    if (status === 503) throw new UnavailableError(text);
    throw new InternalError(text, { details: { code } });
  }
}
