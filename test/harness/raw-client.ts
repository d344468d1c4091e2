import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Incomplete, type ReadResponse, readResponse } from "./strict-reader.ts";

const PATIENCE_MS = 5_000;

/** Sends bytes over a connection of their own, and resolves to what came back before it ended. */
export async function exchange(port: number, text: string): Promise<string> {
  const client = await RawClient.to(port);
  return client.send(text).untilClosed();
}

/** A client that says exactly what it is told to, and reads answers strictly. */
export class RawClient {
  readonly socket: Socket;
  /** Everything received and not yet read, in latin1. */
  received = "";
  ended = false;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    const wake = (): void => this.#wake?.();
    socket.on("data", (chunk: Buffer) => {
      this.received += chunk.toString("latin1");
      wake();
    });
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.ended = true;
        wake();
      });
    }
    socket.on("error", wake);
  }

  static async to(port: number): Promise<RawClient> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RawClient(socket);
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  /** Sends a head of these lines. */
  head(...lines: string[]): this {
    return this.send(`${lines.join("\r\n")}\r\n\r\n`);
  }

  /** The next response, interim ones too. */
  async response(method = "GET"): Promise<ReadResponse> {
    for (;;) {
      try {
        const { response, length } = readResponse(this.received, method, this.ended);
        this.received = this.received.slice(length);
        return response;
      } catch (error) {
        if (!(error instanceof Incomplete) || this.ended) throw error;
      }
      await this.#news();
    }
  }

  /** What came until the other side closed. */
  async untilClosed(): Promise<string> {
    while (!this.ended) await this.#news();
    return this.received;
  }

  async until(predicate: () => boolean): Promise<void> {
    while (!predicate()) {
      if (this.ended) throw new Error(`closed after ${JSON.stringify(this.received)}`);
      await this.#news();
    }
  }

  /** The status of the only answer, after which the connection is closed. */
  async refusal(method = "GET"): Promise<number> {
    const { status } = await this.response(method);
    const rest = await this.untilClosed();
    if (rest !== "") throw new Error(`more after the refusal: ${JSON.stringify(rest)}`);
    return status;
  }

  close(): void {
    this.socket.destroy();
  }

  #news(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined;
        reject(new Error(`nothing came after ${JSON.stringify(this.received.slice(-500))}`));
      }, PATIENCE_MS);
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
