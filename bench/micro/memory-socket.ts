import { EventEmitter } from "node:events";
import type { Socket } from "node:net";

/** In place of a socket, where only what our own code costs is to be measured: what is written is counted and gone. */
export class MemorySocket extends EventEmitter {
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 2;
  readonly writableLength = 0;
  readonly writableNeedDrain = false;
  readonly writable = true;
  destroyed = false;
  written = 0;

  get socket(): Socket {
    return this as unknown as Socket;
  }

  /** As if it had come over the network: each time in a buffer of its own. */
  receive(bytes: Buffer): void {
    this.emit("data", Buffer.from(bytes));
  }

  write(data: string | Uint8Array): boolean {
    this.written += data.length;
    return true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  isPaused(): boolean {
    return false;
  }

  setNoDelay(): void {}
  setTimeout(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
}
