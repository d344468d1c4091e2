import { InvalidArgumentError } from "../../../shared/base/index.ts";
import type { Bus, BusSubscription } from "../../../shared/bus/index.ts";
import type { ProxyIdentity } from "../../../shared/wire/index.ts";
import { VIEW_NAMES, type Views } from "./views.ts";

/** Answers `{"view": "clusters"}` on the bus with what the admin API shows: for people who cannot reach its loopback. */
export function serveDebug(bus: Bus, identity: ProxyIdentity, views: Views): BusSubscription {
  return bus.serve(
    bus.subjects.proxyDebug(identity),
    async (message) => {
      const wanted = viewOf(message.text());
      const name = VIEW_NAMES.find((each) => each === wanted);
      if (name === undefined) {
        throw new InvalidArgumentError(`no such view; send {"view": "..."} with one of ${VIEW_NAMES.join(", ")}`);
      }
      return { json: await views.show(name) };
    },
    { maxInFlight: 8 },
  );
}

function viewOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { view?: unknown } | null)?.view;
  } catch {
    throw new InvalidArgumentError("the request is not JSON");
  }
}
