import { Option } from "commander";
import type { CommandDefinition } from "../command.ts";
import { withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { renderTapRow } from "../live/tap-lines.ts";
import { chooserOf, parseCount, type TapFlags, tapFilterOf, withTapOptions } from "../live/tap-options.ts";
import { isToldHere, TapSession } from "../live/tap-session.ts";
import { parseDurationMs, withConnectionOptions, withOutputOption } from "../options.ts";
import { palette } from "../render.ts";

interface Flags extends TapFlags {
  readonly count?: number;
  readonly output: string;
}

export const TAP: CommandDefinition = {
  name: "tap",
  group: "Traffic",
  summary: "watch requests as they happen, one line each",
  about:
    "Watches requests as they happen, one line each, at the proxies of the mesh: with their end, status, time and whether the way was encrypted. " +
    "Without a name each request is shown once, where it was received; of what has a name both its calls and its callers' are shown. Proxies keep " +
    "nothing unless somebody watches, and show at most --max-rps requests a second each.",
  examples: [
    { what: "Everything", line: "lateen tap" },
    { what: "What goes in and out of one service", line: "lateen tap reviews" },
    { what: "Failures of one service's callers", line: "lateen tap --to ratings --status 5xx" },
    { what: "Ten requests as JSON lines", line: "lateen tap --from productpage --path /reviews -c 10 -o json" },
  ],
  completes: ["services"],
  define(command, { io, run }) {
    withTapOptions(command)
      .addOption(new Option("-c, --count <requests>", "end after so many").argParser(parseCount))
      .addOption(new Option("--duration <duration>", "end after this time").argParser(parseDurationMs));
    withConnectionOptions(withOutputOption(command, ["short", "wide", "json"], "json: one object a line")).action(
      (name: string | undefined, flags: Flags) =>
        run(() =>
          withBus(flags, io, async (bus) => {
            const done = new AbortController();
            const timer = flags.duration === undefined ? undefined : setTimeout(() => done.abort(), flags.duration);
            const colours = palette(io.colours);
            const isOnce = name === undefined && flags.reporter === undefined;
            let left = flags.count ?? Number.POSITIVE_INFINITY;
            const session = new TapSession(bus, {
              filter: tapFilterOf(flags),
              maxPerSecond: flags.maxRps,
              choose: chooserOf(name, flags.namespace),
              tell: (text) => io.err(text),
              signal: AbortSignal.any([done.signal, io.signal]),
              onRow(row) {
                if (left <= 0 || (isOnce && !isToldHere(row))) return;
                io.out(
                  flags.output === "json" ? JSON.stringify(row) : renderTapRow(row, flags.output === "wide", colours),
                );
                if (--left <= 0) done.abort();
              },
            });
            try {
              await session.run();
            } finally {
              clearTimeout(timer);
            }
            if (session.dropped > 0)
              io.err(`${session.dropped} more requests fitted; raise --max-rps or narrow the filters`);
            return EXIT.ok;
          }),
        ),
    );
  },
};
