import { Option } from "commander";
import { sleep, systemClock } from "../../shared/base/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { gatherTraffic } from "../live/gather-traffic.ts";
import { gatherProxies, proxiesNamed } from "../live/proxies.ts";
import { renderStat, statRows } from "../live/stat-report.ts";
import { parseName, trafficBetween } from "../live/traffic.ts";
import { parseDurationMs, withConnectionOptions, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";

interface Flags extends ConnectionFlags {
  readonly by: "service" | "workload";
  readonly from?: string;
  readonly namespace?: string;
  readonly window: number;
  readonly output: string;
}

export const STAT: CommandDefinition = {
  name: "stat",
  group: "Traffic",
  summary: "show success rate, request rate and latency of services or workloads",
  about:
    "Shows success rate (answered, and not with 5xx), requests a second, and the latency that 50, 95 and 99 percent of requests stayed below, for each " +
    "service or workload as it is called. The figures are counted by the proxies themselves, at the receiving end, over --window; percentiles are as " +
    "fine as the buckets of istio_request_duration_milliseconds.",
  examples: [
    { what: "All services, counted for ten seconds", line: "lateen stat" },
    { what: "One service, version by version", line: "lateen stat reviews --by workload --window 30s" },
    { what: "Calls of one caller only", line: "lateen stat --from productpage -o json" },
  ],
  completes: ["services"],
  define(command, { io, run }) {
    command
      .argument("[name]", "only this service or workload, with or without .namespace")
      .addOption(new Option("--by <what>", "what rows are").choices(["service", "workload"]).default("service"))
      .option("--from <name>", "only calls of this service or workload")
      .option("-n, --namespace <namespace>", "only services of this namespace")
      .addOption(
        new Option("--window <duration>", "how long requests are counted")
          .default(10_000, "10s")
          .argParser(parseDurationMs),
      );
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action(
      (name: string | undefined, flags: Flags) =>
        run(() =>
          withBus(flags, io, async (bus) => {
            const tell = (text: string) => io.err(text);
            const statuses = await withProgress(io, "Asking proxies", () => gatherProxies(bus));
            const before = await gatherTraffic(bus, statuses, tell);
            const startedMs = performance.now();
            await withProgress(io, "Counting requests", () =>
              sleep(systemClock, flags.window, io.signal).catch(() => undefined),
            );
            const seconds = (performance.now() - startedMs) / 1000;
            const after = await gatherTraffic(bus, statuses, tell);
            const [view] = after.values();
            const rows = statRows(trafficBetween(before, after), statuses, {
              by: flags.by,
              ...(name !== undefined && { wanted: parseName(name) }),
              ...(flags.namespace !== undefined && { namespace: flags.namespace }),
              ...(flags.from !== undefined && { from: parseName(flags.from) }),
              bounds: view?.bounds ?? [],
              seconds,
            });
            // A host outside of the mesh has no proxy, and is known by its requests only.
            if (name !== undefined && rows.length === 0) proxiesNamed(statuses, name);
            if (rows.length > 0 && rows.every(({ rps }) => rps === 0))
              io.err(`No requests in ${seconds.toFixed(0)} s; --window counts longer`);
            const leftOut = [...after.values()].reduce((sum, each) => sum + each.leftOut, 0);
            if (leftOut > 0)
              io.err(`${leftOut} requests of rare kinds are left out: a proxy has too many kinds of them`);
            io.out(
              flags.output === "json" ? JSON.stringify({ seconds, rows }, undefined, 2) : renderStat(rows, flags.by),
            );
            return EXIT.ok;
          }),
        ),
    );
  },
};
