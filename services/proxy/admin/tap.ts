import { type Clock, InvalidArgumentError, sleep } from "../../../shared/base/index.ts";
import type { Bus, BusSubscription } from "../../../shared/bus/index.ts";
import type { ProxyIdentity, TapAnswer } from "../../../shared/wire/index.ts";
import type { DataPlane } from "../plane/data-plane.ts";
import { parseTapRequest, type TapOrder } from "../tap/tap-filter.ts";

const LOOK_MS = 50;
const MAX_QUESTIONS = 16;

/** Answers `proxy.tap`: at once when there is something to show, else as soon as there is, within the question's time. */
export function serveTap(bus: Bus, identity: ProxyIdentity, plane: DataPlane, clock: Clock): BusSubscription {
  return bus.serve(
    bus.subjects.proxyTap(identity),
    async (message) => {
      const { waitMs, ...order } = parseTapRequest(parsed(message.text()));
      return { json: await taken(plane, order, clock, waitMs) };
    },
    { maxInFlight: MAX_QUESTIONS },
  );
}

async function taken(plane: DataPlane, order: TapOrder, clock: Clock, waitMs: number): Promise<TapAnswer> {
  const deadlineMs = clock.monotonic() + waitMs;
  for (;;) {
    const answer = await plane.tap(order);
    if (answer.rows.length > 0 || answer.dropped > 0 || clock.monotonic() >= deadlineMs) return answer;
    await sleep(clock, LOOK_MS);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("the request is not JSON");
  }
}
