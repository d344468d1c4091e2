import { WireError } from "../base/index.ts";
import { Envelope, type Subjects, type Table } from "../wire/index.ts";
import type { BusMessage } from "./message.ts";

/*
 * What may be believed of a message that claims to be a table's. JetStream answers to whatever reply subject a caller
 * names, so anything stored anywhere could be made to arrive on a table's subject: an envelope counts only when it names the very
 * table and key of its subject, and the server's own headers must name that key's bucket subject.
 */

export type BucketName = Table | "leader";

/** One key's value with its place in the bucket. */
export interface StoredValue {
  readonly key: string;
  readonly sequence: number;
  /** The bucket's epoch in which it was written; 0 where the value does not say (`config`). */
  readonly epoch: number;
  /** A copy, without envelope. */
  readonly value: Uint8Array;
}

/** What one message says of a key. */
export type TableMessage =
  | ({ readonly kind: "value" } & StoredValue)
  /** Deleted. From a broadcast it is no more than a hint to ask the bucket. */
  | { readonly kind: "marker"; readonly key: string; readonly sequence: number };

/** The bytes to store: in an envelope, but for tables of readable values. */
export function seal(table: BucketName, key: string, epoch: number, value: Uint8Array): Uint8Array {
  return hasEnvelope(table) ? Envelope.encode({ table, key, epoch, value }) : value;
}

/** Reads a broadcast or a direct get's answer for one key of a table. Throws WireError when it is not about that key. */
export function open(subjects: Subjects, table: BucketName, key: string, message: BusMessage): TableMessage {
  const storedAs = message.header("Nats-Subject");
  const sequence = Number(message.header("Nats-Sequence"));
  if (storedAs !== subjects.bucketSubject(table, key) || !Number.isSafeInteger(sequence) || sequence < 1) {
    throw new WireError(`${table} ${key}: a message of ${storedAs ?? "no bucket"}`);
  }
  const operation = message.header("KV-Operation");
  if (operation === "DEL" || operation === "PURGE") return { kind: "marker", key, sequence };
  if (!hasEnvelope(table)) return { kind: "value", key, sequence, epoch: 0, value: Uint8Array.from(message.data) };
  const envelope = Envelope.decode(message.data);
  if (envelope.table !== table || envelope.key !== key) {
    throw new WireError(`${table} ${key}: an envelope of ${envelope.table} ${envelope.key}`);
  }
  return { kind: "value", key, sequence, epoch: envelope.epoch, value: Uint8Array.from(envelope.value) };
}

function hasEnvelope(table: BucketName): boolean {
  return table !== "config" && table !== "leader";
}

/** Whether a is older than b. */
export function isOlder(a: { epoch: number; sequence: number }, b: { epoch: number; sequence: number }): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.sequence < b.sequence);
}
