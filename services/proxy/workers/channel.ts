import type { Socket } from "node:net";
import { errorMessage, MeshError, UnavailableError } from "../../../shared/base/index.ts";
import { rebuiltError } from "../../../shared/bus/index.ts";

/*
 * Questions and notices between the primary and one worker, over Node's channel between processes: in order, and each
 * question is answered once, with a value or with an error of the same class as it was thrown. A question may hand over
 * a connection. When the other end is gone, whatever waits fails as unavailable.
 */

/** Questions by name: what each is asked with, and what it is answered. */
export type Questions<Q> = { readonly [K in keyof Q]: { readonly argument: unknown; readonly answer: unknown } };

export type Answers<Q extends Questions<Q>> = {
  readonly [K in keyof Q]: (
    argument: Q[K]["argument"],
    socket: Socket | undefined,
  ) => Q[K]["answer"] | Promise<Q[K]["answer"]>;
};

type Answer = (argument: unknown, socket: Socket | undefined) => unknown;

interface Failure {
  /** Undefined: not an error of the mesh. */
  readonly code: string | undefined;
  readonly text: string;
}

type Message =
  | { readonly kind: "question"; readonly id: number; readonly name: string; readonly argument: unknown }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly failure: Failure }
  | { readonly kind: "notice"; readonly notice: unknown };

/** Sends; `onFailed` is called when it could not. The socket stays the sender's too. */
export type Post = (message: unknown, socket: Socket | undefined, onFailed: (error: Error) => void) => void;

export interface ChannelOptions<Q extends Questions<Q>, Heard> {
  readonly post: Post;
  readonly answers: Answers<Q>;
  hear(notice: Heard): void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One end. `Asked`: what the other end answers; `Answered`: what this one does; likewise `Told` and `Heard`. */
export class Channel<Asked extends Questions<Asked>, Answered extends Questions<Answered>, Told, Heard> {
  readonly #options: ChannelOptions<Answered, Heard>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #closed = false;

  constructor(options: ChannelOptions<Answered, Heard>) {
    this.#options = options;
  }

  /** Questions that wait for their answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  ask<K extends keyof Asked & string>(
    name: K,
    argument: Asked[K]["argument"],
    socket?: Socket,
  ): Promise<Asked[K]["answer"]> {
    if (this.#closed) return Promise.reject(gone());
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post({ kind: "question", id, name, argument }, socket, () => {
        if (this.#waiting.delete(id)) reject(gone());
      });
    });
  }

  tell(notice: Told): void {
    this.#post({ kind: "notice", notice });
  }

  /** What came from the other end. */
  receive(received: unknown, socket: Socket | undefined): void {
    const message = received as Message;
    switch (message.kind) {
      case "question":
        void this.#answer(message.id, message.name, message.argument, socket);
        return;
      case "answer":
        this.#take(message.id)?.resolve(message.value);
        return;
      case "failure":
        this.#take(message.id)?.reject(fromFailure(message.failure));
        return;
      case "notice":
        this.#options.hear(message.notice as Heard);
        return;
    }
  }

  /** The other end is gone. */
  close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.values()) reject(gone());
    this.#waiting.clear();
  }

  async #answer(id: number, name: string, argument: unknown, socket: Socket | undefined): Promise<void> {
    try {
      const answers = this.#options.answers as Readonly<Record<string, Answer>>;
      const given = answers[name]?.(argument, socket);
      // At once where there is nothing to wait for: whoever hands over a connection holds the next one back until then.
      const value = given instanceof Promise ? await given : given;
      this.#post({ kind: "answer", id, value });
    } catch (error) {
      const code = error instanceof MeshError ? error.code : undefined;
      this.#post({ kind: "failure", id, failure: { code, text: errorMessage(error) } });
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #post(message: Message, socket?: Socket, onFailed: (error: Error) => void = () => {}): void {
    if (this.#closed) onFailed(gone());
    else this.#options.post(message, socket, onFailed);
  }
}

function gone(): Error {
  return new UnavailableError("the process at the other end is gone");
}

function fromFailure({ code, text }: Failure): Error {
  return code === undefined ? new Error(text) : rebuiltError(code, text);
}
