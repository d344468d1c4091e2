import { Option } from "commander";
import type { CommandDefinition } from "../command.ts";
import { withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { chooserOf, parseCount, type TapFlags, tapFilterOf, withTapOptions } from "../live/tap-options.ts";
import { isToldHere, TapSession } from "../live/tap-session.ts";
import { renderTop, TopTable } from "../live/top-table.ts";
import { parseDurationMs, withConnectionOptions, withOutputOption } from "../options.ts";
import { CLEAR_SCREEN } from "../safe-text.ts";

interface Flags extends TapFlags {
  readonly maxResults: number;
  readonly output: string;
}

const REDRAW_MS = 1_000;
/** Where nobody sits before a terminal. */
const DEFAULT_DURATION_MS = 10_000;

export const TOP: CommandDefinition = {
  name: "top",
  group: "Traffic",
  summary: "show the most frequent requests, refreshed in place",
  about:
    "Shows who calls whom with what: count, best, worst and last time, and success rate, the most frequent first. On a terminal it is refreshed " +
    "every second until Ctrl-C; elsewhere it counts for --duration and writes one table. Requests are taken as by tap.",
  examples: [
    { what: "The whole mesh", line: "lateen top" },
    { what: "One service's callers and calls", line: "lateen top reviews" },
    { what: "Ten seconds, for a program", line: "lateen top --duration 10s -o json" },
  ],
  completes: ["services"],
  define(command, { io, run }) {
    withTapOptions(command)
      .addOption(new Option("--max-results <rows>", "rows that are shown").default(20).argParser(parseCount))
      .addOption(
        new Option(
          "--duration <duration>",
          "end after this time; where there is no terminal, 10s by default",
        ).argParser(parseDurationMs),
      );
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action(
      (name: string | undefined, flags: Flags) =>
        run(() =>
          withBus(flags, io, async (bus) => {
            const isLive = io.isTerminal && flags.output === "short";
            const durationMs = flags.duration ?? (isLive ? undefined : DEFAULT_DURATION_MS);
            const done = new AbortController();
            const timer = durationMs === undefined ? undefined : setTimeout(() => done.abort(), durationMs);
            const table = new TopTable();
            const isOnce = name === undefined && flags.reporter === undefined;
            const session = new TapSession(bus, {
              filter: tapFilterOf(flags),
              maxPerSecond: flags.maxRps,
              choose: chooserOf(name, flags.namespace),
              tell: (text) => io.err(text),
              signal: AbortSignal.any([done.signal, io.signal]),
              onRow(row) {
                if (!isOnce || isToldHere(row)) table.add(row);
              },
            });
            const draw = () => io.out(`${CLEAR_SCREEN}${renderTop(table.rows(flags.maxResults))}`);
            const redraw = isLive ? setInterval(draw, REDRAW_MS) : undefined;
            if (isLive) draw();
            try {
              await session.run();
            } finally {
              clearTimeout(timer);
              clearInterval(redraw);
            }
            const rows = table.rows(flags.maxResults);
            if (flags.output === "json") io.out(JSON.stringify({ rows, notCounted: session.dropped }, undefined, 2));
            else if (!isLive) io.out(renderTop(rows));
            if (session.dropped > 0)
              io.err(`${session.dropped} more requests were not counted; raise --max-rps or narrow the filters`);
            return EXIT.ok;
          }),
        ),
    );
  },
};
