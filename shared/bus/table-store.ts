import { InvalidArgumentError, NotFoundError, TimeoutError, UnavailableError } from "../base/index.ts";
import { MAX_MESSAGE_BYTES, type Subjects } from "../wire/index.ts";
import type { Bus } from "./bus.ts";
import { directGet, forEachLimited } from "./direct-get.ts";
import { type BucketName, type StoredValue, seal, type TableMessage } from "./envelope.ts";
import { JetStream, type StreamConfig, type StreamInfo } from "./jetstream.ts";

/** How long a leader's lease lives without renewal, in milliseconds. */
export const LEASE_MS = 3_000;

/** Of one value: with its envelope and the headers of a write it fits into one message. */
const MAX_VALUE_BYTES = MAX_MESSAGE_BYTES - 16 * 1024;
const PARALLEL_READS = 64;
const READ_TIMEOUT_MS = 2_000;
const LIST_ATTEMPTS = 3;
const EMPTY = new Uint8Array();

/** The bucket behind a table: the newest value of each key, broadcast under the plain subject as it is stored. */
export function bucketConfig(subjects: Subjects, table: BucketName): StreamConfig {
  const leaseNs = LEASE_MS * 1_000_000;
  return {
    name: subjects.bucketStream(table),
    subjects: [subjects.bucketSubject(table, ">")],
    retention: "limits",
    storage: "file",
    num_replicas: 1,
    max_consumers: -1,
    max_msgs: -1,
    max_bytes: -1,
    max_msg_size: -1,
    max_msgs_per_subject: 1,
    discard: "new",
    max_age: table === "leader" ? leaseNs : 0,
    duplicate_window: table === "leader" ? leaseNs : 120_000_000_000,
    allow_rollup_hdrs: true,
    allow_direct: true,
    deny_delete: true,
    ...(table === "leader"
      ? {}
      : { republish: { src: subjects.bucketSubject(table, ">"), dest: subjects.table(table, ">") } }),
  };
}

/** Throws InvalidArgumentError when a value is too large for any table. */
export function checkValueSize(table: BucketName, key: string, value: Uint8Array): void {
  if (value.length <= MAX_VALUE_BYTES) return;
  throw new InvalidArgumentError(`${table} ${key}: ${value.length} bytes are more than ${MAX_VALUE_BYTES}`);
}

/** Reads and writes one bucket, over a connection into account STORE. */
export class TableStore {
  readonly table: BucketName;
  /** When the bucket was created, microseconds since the Unix epoch: a recreated bucket has another. */
  readonly epoch: number;
  readonly #bus: Bus;
  readonly #jetStream: JetStream;

  private constructor(bus: Bus, table: BucketName, epoch: number) {
    this.#bus = bus;
    this.#jetStream = new JetStream(bus);
    this.table = table;
    this.epoch = epoch;
  }

  /** Opens the bucket; with `create`, makes it or brings it to its configuration. Throws NotFoundError without. */
  static async open(bus: Bus, table: BucketName, options: { create: boolean }): Promise<TableStore> {
    const jetStream = new JetStream(bus);
    const info = options.create
      ? await jetStream.ensureStream(bucketConfig(bus.subjects, table))
      : await jetStream.streamInfo(bus.subjects.bucketStream(table));
    return new TableStore(bus, table, info.createdUs);
  }

  /** The bucket as it is now: its `createdUs` differs from `epoch` when it was recreated. Throws NotFoundError. */
  info(): Promise<StreamInfo> {
    return this.#jetStream.streamInfo(this.#bus.subjects.bucketStream(this.table));
  }

  /** Every key with its value; deleted ones are left out. */
  async list(): Promise<Map<string, StoredValue>> {
    const values = new Map<string, StoredValue>();
    for (const message of (await this.listMessages()).messages) {
      if (message.kind === "value") values.set(message.key, this.#toValue(message));
    }
    return values;
  }

  /** Every key with its value or deletion marker, and the bucket's state before they were read. */
  async listMessages(): Promise<{ info: StreamInfo; messages: TableMessage[] }> {
    const { subjects } = this.#bus;
    const root = subjects.bucketSubject(this.table, "");
    const { info, subjects: stored } = await this.#jetStream.streamSubjects(
      subjects.bucketStream(this.table),
      subjects.bucketSubject(this.table, ">"),
    );
    const messages: TableMessage[] = [];
    await forEachLimited(stored, PARALLEL_READS, async (subject) => {
      const message = await this.#read(subject.slice(root.length));
      if (message !== undefined) messages.push(message);
    });
    return { info, messages };
  }

  /** Undefined when there is no such key, or it was deleted. */
  async get(key: string): Promise<StoredValue | undefined> {
    const message = await this.#read(key);
    return message?.kind === "value" ? this.#toValue(message) : undefined;
  }

  /** The key as it stands, a deletion included; sequence 0 when nothing was ever there. Its sequence is what to expect in the next write. */
  async last(key: string): Promise<{ readonly sequence: number; readonly value: Uint8Array | undefined }> {
    const message = await this.#read(key);
    return { sequence: message?.sequence ?? 0, value: message?.kind === "value" ? message.value : undefined };
  }

  /**
   * Writes if the key's last sequence is the expected one (0: nothing there). Throws ConflictError when it is not,
   * NotFoundError when the bucket is gone; after TimeoutError the outcome is unknown.
   */
  async put(key: string, value: Uint8Array, expectedSequence: number): Promise<number> {
    checkValueSize(this.table, key, value);
    return await this.#write(key, seal(this.table, key, this.epoch, value), expectedSequence, {});
  }

  /** Writes a deletion marker, on the same terms as `put`. */
  delete(key: string, expectedSequence: number): Promise<number> {
    return this.#write(key, EMPTY, expectedSequence, { "KV-Operation": "DEL" });
  }

  async #write(
    key: string,
    data: Uint8Array,
    expectedSequence: number,
    headers: Record<string, string>,
  ): Promise<number> {
    return await this.#jetStream.store(this.#bus.subjects.bucketSubject(this.table, key), data, {
      ...headers,
      "Nats-Expected-Last-Subject-Sequence": String(expectedSequence),
    });
  }

  /** A single answer may be lost in a burst; the bucket being gone may not be mistaken for that. */
  async #read(key: string): Promise<TableMessage | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await directGet(this.#bus, this.table, key, READ_TIMEOUT_MS);
      } catch (error) {
        if (!(error instanceof UnavailableError) || !this.#bus.connected || attempt === LIST_ATTEMPTS) throw error;
        if (!(error.cause instanceof TimeoutError)) {
          await this.info().catch((cause: unknown) => {
            throw cause instanceof NotFoundError ? cause : error;
          });
        }
      }
    }
  }

  #toValue(message: TableMessage & { kind: "value" }): StoredValue {
    const { key, sequence, value } = message;
    return { key, sequence, value, epoch: message.epoch === 0 ? this.epoch : message.epoch };
  }
}
