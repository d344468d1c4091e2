import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { gatherProxies, proxyNamed } from "../live/proxies.ts";
import { proxyStateJson, proxyStates } from "../live/proxy-state.ts";
import { renderProxyDetail, renderProxyStates } from "../live/proxy-status-report.ts";
import { withConnectionOptions, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { palette } from "../render.ts";

interface StatusFlags extends ConnectionFlags {
  readonly output: string;
}

/** Asks every proxy what it has applied; one that does not answer is not listed. */
export const PROXY_STATUS: CommandDefinition = {
  name: "proxy-status",
  aliases: ["ps"],
  group: "Mesh",
  summary: "show every proxy and whether it has applied the newest configuration",
  about:
    "Shows every proxy and whether it has applied the newest configuration: SYNCED, STALE (another proxy has seen something newer, or it waits for " +
    "what that needs), REJECTED (it refuses the newest value and says why) or DRAINING; since when; and how many keys of each table are as they " +
    "should be. Of one proxy it shows every key, and what is behind as a difference.",
  examples: [
    { what: "All proxies", line: "lateen proxy-status" },
    { what: "One proxy, key by key", line: "lateen proxy-status reviews-1.default" },
    { what: "For a program", line: "lateen proxy-status -o json" },
  ],
  completes: ["proxies"],
  define(command, { io, run }) {
    command.argument("[proxy]", "instance, with or without .namespace; or a service or workload with one proxy");
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action(
      (word: string | undefined, flags: StatusFlags) =>
        run(() =>
          withBus(flags, io, async (bus) => {
            const statuses = await withProgress(io, "Asking proxies", () => gatherProxies(bus));
            const all = proxyStates(statuses);
            const wanted = word === undefined ? undefined : proxyNamed(statuses, word);
            const shown = wanted === undefined ? all : all.filter(({ status }) => status === wanted);
            const colours = palette(io.colours);
            const [one] = shown;
            if (flags.output === "json") {
              const plain = shown.map(proxyStateJson);
              io.out(JSON.stringify(wanted === undefined ? plain : plain[0], undefined, 2));
            } else if (wanted !== undefined && one !== undefined) io.out(renderProxyDetail(one, Date.now(), colours));
            else io.out(renderProxyStates(shown, Date.now(), colours));
            return EXIT.ok;
          }),
        ),
    );
  },
};
