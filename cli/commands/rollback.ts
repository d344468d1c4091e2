import { ConfigClient, isTombstone } from "../../client/index.ts";
import { formatKey, revisionOf, sameContent } from "../../shared/model/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import {
  parseRevision,
  type WaitFlags,
  waitIfAsked,
  withConnectionOptions,
  withOutputOption,
  withWaitOptions,
} from "../options.ts";
import { withProgress } from "../progress.ts";
import { palette } from "../render.ts";
import { oneNamed } from "../resources/selection.ts";

interface RollbackFlags extends ConnectionFlags, WaitFlags {
  readonly namespace?: string;
  readonly revision?: number;
  readonly output: "short" | "json";
}

/** Makes an earlier revision the newest again. */
export const ROLLBACK: CommandDefinition = {
  name: "rollback",
  group: "Configuration",
  summary: "make an earlier revision of a resource the newest again",
  about:
    "Makes an earlier revision the newest again, as a new revision; by default the one before the newest. What was deleted comes back the same way. Pilot judges it anew.",
  examples: [
    {
      what: "Undo the last change, and return when it is undone everywhere",
      line: "lateen rollback routerule reviews-default --wait",
    },
    { what: "Back to a revision that history shows", line: "lateen rollback vs reviews --revision 17" },
  ],
  completes: ["kinds", "names", []],
  define(command, { io, run }) {
    command
      .argument("<kind>", "such as routerule, or vs/reviews")
      .argument("[name]")
      .option("-n, --namespace <namespace>", "namespace (default: that of the kind, mostly default)")
      .option("--revision <number>", "which one (default: the one before the newest)", parseRevision);
    withWaitOptions(withOutputOption(command, ["short", "json"]));
    withConnectionOptions(command).action((kind: string, name: string | undefined, flags: RollbackFlags) =>
      run(async () => {
        const key = oneNamed(kind, name, flags.namespace);
        const { revision } = flags;
        return withBus(flags, io, async (bus) => {
          const client = new ConfigClient(bus);
          const [before = undefined] = await client.history(key);
          const resource = await withProgress(io, "Rolling back", () =>
            client.rollback(revision === undefined ? key : { ...key, revision }),
          );
          const isSame = before !== undefined && !isTombstone(before) && sameContent(before, resource);
          const { good } = palette(io.colours);
          const what = isSame
            ? `Unchanged config ${formatKey(key)} at revision ${revisionOf(resource)}`
            : `${good("Rolled back")} config ${formatKey(key)} to revision ${revisionOf(resource)}`;
          io.out(flags.output === "json" ? JSON.stringify(resource, undefined, 2) : what);
          await waitIfAsked(bus, [{ ...key, revision: revisionOf(resource) }], flags, io);
          return EXIT.ok;
        });
      }),
    );
  },
};
