import { type Deferred, deferred } from "../shared/base/index.ts";

/**
 * From a callback that must not wait to a loop that takes its time. Bounded: when the loop is slower for long, the oldest
 * values make room for the newest, and are counted. One loop at a time.
 */
export class BoundedQueue<T> implements AsyncIterableIterator<T> {
  readonly #capacity: number;
  readonly #onClose: () => void;
  #values: T[] = [];
  #head = 0;
  #waiting: Deferred<IteratorResult<T>> | undefined;
  #isClosed = false;
  #failure: { readonly error: unknown } | undefined;
  #dropped = 0;

  /** `onClose` is called once, when whoever reads has had enough, or `close` is called. */
  constructor(capacity: number, onClose: () => void = () => {}) {
    this.#capacity = capacity;
    this.#onClose = onClose;
  }

  /** Values that nobody read because newer ones came. */
  get dropped(): number {
    return this.#dropped;
  }

  get length(): number {
    return this.#values.length - this.#head;
  }

  get isFull(): boolean {
    return this.length >= this.#capacity;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  push(value: T): void {
    if (this.#isClosed) return;
    if (this.#waiting !== undefined) {
      this.#settle({ done: false, value });
      return;
    }
    if (this.isFull) {
      this.#take();
      this.#dropped++;
    }
    this.#values.push(value);
  }

  /** What was pushed before is still read; then the loop ends. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#settle({ done: true, value: undefined });
    this.#onClose();
  }

  /** What was pushed before is still read; then the loop throws. */
  fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#waiting === undefined) this.#failure = { error };
    else this.#waiting.reject(error);
    this.#waiting = undefined;
    this.#onClose();
  }

  async next(): Promise<IteratorResult<T>> {
    if (this.length > 0) return { done: false, value: this.#take() as T };
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    if (this.#isClosed) return { done: true, value: undefined };
    if (this.#waiting !== undefined) throw new Error("somebody else is reading already");
    this.#waiting = deferred<IteratorResult<T>>();
    return this.#waiting.promise;
  }

  async return(): Promise<IteratorResult<T>> {
    this.#values = [];
    this.#head = 0;
    this.#failure = undefined;
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #settle(result: IteratorResult<T>): void {
    this.#waiting?.resolve(result);
    this.#waiting = undefined;
  }

  #take(): T | undefined {
    const value = this.#values[this.#head++];
    if (this.#head * 2 >= this.#values.length) {
      this.#values = this.#values.slice(this.#head);
      this.#head = 0;
    }
    return value;
  }
}
