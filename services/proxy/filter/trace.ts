import type { Tracer } from "../trace/tracer.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

/** Gives a request its place in a trace: a span of its own where it is sent, the sender's where it is received. */
export class TraceFilter implements Filter {
  readonly name = "trace";
  readonly #tracer: Tracer;
  readonly #direction: "send" | "receive";

  constructor(tracer: Tracer, direction: "send" | "receive") {
    this.#tracer = tracer;
    this.#direction = direction;
  }

  onRequest(exchange: Exchange): "continue" {
    if (this.#direction === "send") this.#tracer.send(exchange.head.headers);
    else this.#tracer.receive(exchange.head.headers);
    return "continue";
  }
}
