import type { Exchange } from "./exchange.ts";
import type { FilterVerdict } from "./filter.ts";

/** A request waits for an answer and is then decided on, unless it is over by then. */
export function holdFor<T>(exchange: Exchange, answer: Promise<T>, decide: (answer: T) => FilterVerdict): "wait" {
  void answer.then((late) => {
    if (exchange.open && decide(late) === "continue") exchange.resume();
  });
  return "wait";
}
