import { errorMessage } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import type { ProxyStatus, TrafficView } from "../../shared/wire/index.ts";
import { askProxy, proxyName } from "./proxies.ts";
import type { TrafficByProxy } from "./traffic.ts";

const MAX_PARALLEL = 16;

/** The counters of these proxies. Who does not answer is left out and told. */
export async function gatherTraffic(
  bus: Bus,
  statuses: readonly ProxyStatus[],
  tell: (problem: string) => void,
): Promise<TrafficByProxy> {
  const found = new Map<string, TrafficView>();
  await forEach(statuses, async (status) => {
    try {
      found.set(proxyName(status), await askProxy<TrafficView>(bus, status, { view: "traffic" }));
    } catch (error) {
      tell(`left out: ${errorMessage(error)}`);
    }
  });
  return found;
}

/** Works on all of them, not more than 16 at once. */
export async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(MAX_PARALLEL, items.length) }, worker));
}
