import { Option } from "commander";
import { sleep, systemClock } from "../../shared/base/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { edgesOf, renderEdges } from "../live/edges-report.ts";
import { gatherTraffic } from "../live/gather-traffic.ts";
import { gatherProxies, proxiesNamed } from "../live/proxies.ts";
import { allTraffic, isNamed, parseName, trafficBetween } from "../live/traffic.ts";
import { parseDurationMs, withConnectionOptions, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { palette } from "../render.ts";

interface Flags extends ConnectionFlags {
  readonly namespace?: string;
  readonly window?: number;
  readonly output: string;
}

export const EDGES: CommandDefinition = {
  name: "edges",
  group: "Traffic",
  summary: "show who talks to whom, with which identities, and whether it is encrypted",
  about:
    "Shows who talks to whom: the workloads at both ends, the identities that they have proved, how many requests there have been, and whether they went " +
    "over mutual TLS. Counted since the proxies started, or with --window from now on.",
  examples: [
    { what: "The whole mesh, since its proxies started", line: "lateen edges" },
    { what: "What one service has to do with", line: "lateen edges reviews" },
    { what: "Just now", line: "lateen edges --window 10s -o json" },
  ],
  completes: ["services"],
  define(command, { io, run }) {
    command
      .argument("[name]", "only edges from or to this service or workload, with or without .namespace")
      .option("-n, --namespace <namespace>", "only edges from or to this namespace")
      .addOption(new Option("--window <duration>", "count from now on, so long").argParser(parseDurationMs));
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action(
      (name: string | undefined, flags: Flags) =>
        run(() =>
          withBus(flags, io, async (bus) => {
            const { window, namespace } = flags;
            const tell = (text: string) => io.err(text);
            const statuses = await withProgress(io, "Asking proxies", () => gatherProxies(bus));
            let traffic = await gatherTraffic(bus, statuses, tell);
            let series = allTraffic(traffic);
            if (window !== undefined) {
              const before = traffic;
              await withProgress(io, "Counting requests", () =>
                sleep(systemClock, window, io.signal).catch(() => undefined),
              );
              traffic = await gatherTraffic(bus, statuses, tell);
              series = trafficBetween(before, traffic);
            }
            const wanted = { ...(name !== undefined && parseName(name)) };
            const edges = edgesOf(
              series.filter(({ source, destination }) =>
                [source, destination].some(
                  (party) => isNamed(party, wanted) && (namespace === undefined || party.namespace === namespace),
                ),
              ),
            );
            if (name !== undefined && edges.length === 0) proxiesNamed(statuses, name);
            io.out(
              flags.output === "json"
                ? JSON.stringify({ edges }, undefined, 2)
                : renderEdges(edges, palette(io.colours)),
            );
            return EXIT.ok;
          }),
        ),
    );
  },
};
