import type { Socket } from "node:net";
import { Http1ClientConnection } from "../codec/http1-client.ts";
import type { Http1Limits } from "../codec/http1-settings.ts";
import { HeaderList } from "../stream/header-list.ts";
import type { ResponseHead, UpstreamEvents } from "../stream/stream.ts";

export interface HttpQuestion {
  readonly authority: string;
  readonly path: string;
  readonly limits: Http1Limits;
}

/** One GET over a connection of its own, which it closes; `done` is told the status once, undefined without an answer. */
export class HttpProbe implements UpstreamEvents {
  readonly #socket: Socket;
  #done: ((status: number | undefined) => void) | undefined;

  constructor(socket: Socket, question: HttpQuestion, done: (status: number | undefined) => void) {
    const { authority, path, limits } = question;
    this.#socket = socket;
    this.#done = done;
    const headers = new HeaderList();
    headers.add("user-agent", "user-agent", "Lateen/HC");
    new Http1ClientConnection(socket, { limits, onIdle() {}, onClosed() {} })
      .open(this)
      .sendHead({ method: "GET", authority, scheme: "http", path, headers }, true);
  }

  /** Nothing more is told. */
  cancel(): void {
    this.#done = undefined;
    this.#socket.destroy();
  }

  onHead({ status }: ResponseHead): void {
    this.#settle(status);
  }

  onReset(): void {
    this.#settle(undefined);
  }

  holds(): boolean {
    return false;
  }

  onInterim(): void {}
  onData(): void {}
  onFlush(): void {}
  onDrain(): void {}

  #settle(status: number | undefined): void {
    const done = this.#done;
    this.cancel();
    done?.(status);
  }
}
