/** What one read takes in at most: what Node itself would ask for. */
const READ_BYTES = 64 * 1024;

/** Takes what has come, and says whether it is done with the bytes: then the next ones may be written over them. */
export type TakeBytes = (bytes: Buffer) => boolean;

/**
 * Reads a connection of ours into one buffer again and again. Node would make a new one of 64 KiB for every read and
 * give most of it back: under load that is memory which no cache holds, and which the system has to find and clear
 * anew. A buffer of which something is still held, since whoever gets the bytes next is slow, is left to its holder.
 * Not for TLS, which copies what it has opened into the buffer: that costs more than it saves.
 */
export class SocketReader {
  #buffer: Buffer | undefined;
  #take: TakeBytes | undefined;

  /** For `net.connect` and `tls.connect`. */
  readonly onread = {
    buffer: (): Buffer => {
      this.#buffer ??= Buffer.allocUnsafeSlow(READ_BYTES);
      return this.#buffer;
    },
    callback: (length: number, buffer: Uint8Array): boolean => {
      const isDone = this.#take?.((buffer as Buffer).subarray(0, length));
      if (isDone === false) this.#buffer = undefined;
      return true;
    },
  };

  to(take: TakeBytes): void {
    this.#take = take;
  }
}
