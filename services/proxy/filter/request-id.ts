import { randomUUID } from "node:crypto";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

const MAX_ID_LENGTH = 128;

/** Gives every request an x-request-id: the caller's from inside the mesh, always a new one at the edge. */
export class RequestIdFilter implements Filter {
  readonly name = "request-id";
  readonly #trustCaller: boolean;

  constructor(trustCaller: boolean) {
    this.#trustCaller = trustCaller;
  }

  onRequest(exchange: Exchange): "continue" {
    const { headers } = exchange.head;
    const given = this.#trustCaller ? headers.get("x-request-id") : undefined;
    if (given !== undefined && given !== "" && given.length <= MAX_ID_LENGTH) {
      exchange.record.requestId = given;
      return "continue";
    }
    const id = randomUUID();
    exchange.record.requestId = id;
    headers.set("x-request-id", "x-request-id", id);
    return "continue";
  }
}
