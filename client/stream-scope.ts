interface Closable {
  close(): void;
}

/** The open streams of a client: they end with it, or with a signal of their own. */
export class StreamScope {
  readonly #streams = new Set<Closable>();

  /** Returns how to leave again, which every stream does when it ends. */
  enter(stream: Closable, signal?: AbortSignal): () => void {
    const onAbort = () => stream.close();
    const leave = () => {
      this.#streams.delete(stream);
      signal?.removeEventListener("abort", onAbort);
    };
    this.#streams.add(stream);
    if (signal?.aborted) queueMicrotask(onAbort);
    else signal?.addEventListener("abort", onAbort, { once: true });
    return leave;
  }

  closeAll(): void {
    for (const stream of [...this.#streams]) stream.close();
  }
}
