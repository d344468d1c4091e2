import { ConfigClient, isTombstone, type ResourceVersion } from "../../client/index.ts";
import { NotFoundError } from "../../shared/base/index.ts";
import { formatKey, revisionOf, sameContent } from "../../shared/model/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { parseRevision, withConnectionOptions, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { renderTable } from "../render.ts";
import { fieldChanges } from "../resources/canonical.ts";
import { renderYaml } from "../resources/output.ts";
import { oneNamed } from "../resources/selection.ts";

interface HistoryFlags extends ConnectionFlags {
  readonly namespace?: string;
  readonly revision?: number;
  readonly output: "short" | "yaml" | "json";
}

const MAX_CHANGES = 3;
const MAX_VALUE = 40;

/** The last revisions of a resource, deletions among them. */
export const HISTORY: CommandDefinition = {
  name: "history",
  group: "Configuration",
  summary: "show the last revisions of a resource, and what each changed",
  about: "Shows the revisions that the mesh remembers of a resource: the last ten, deletions among them.",
  examples: [
    { what: "What changed when", line: "lateen history routerule reviews-default" },
    { what: "As it was then", line: "lateen history vs/reviews --revision 17 -o yaml" },
  ],
  completes: ["kinds", "names", []],
  define(command, { io, run }) {
    command
      .argument("<kind>", "such as routerule, or vs/reviews")
      .argument("[name]")
      .option("-n, --namespace <namespace>", "namespace (default: that of the kind, mostly default)")
      .option("--revision <number>", "only this one", parseRevision);
    withConnectionOptions(withOutputOption(command, ["short", "yaml", "json"])).action(
      (kind: string, name: string | undefined, flags: HistoryFlags) =>
        run(async () => {
          const key = oneNamed(kind, name, flags.namespace);
          return withBus(flags, io, async (bus) => {
            const versions = await withProgress(io, "Asking Pilot", () => new ConfigClient(bus).history(key));
            const { revision } = flags;
            const shown = versions.filter((version) => revision === undefined || revisionOf(version) === revision);
            if (shown.length === 0)
              throw new NotFoundError(`${formatKey(key)} has no revision ${revision} any more; see lateen history`);
            io.out(render(shown, versions, flags));
            return EXIT.ok;
          });
        }),
    );
  },
};

function render(shown: readonly ResourceVersion[], all: readonly ResourceVersion[], flags: HistoryFlags): string {
  switch (flags.output) {
    case "json":
      return JSON.stringify(flags.revision === undefined ? { items: shown } : shown[0], undefined, 2);
    case "yaml":
      return shown.map(renderYaml).join("---\n").trimEnd();
    case "short":
      return renderTable(
        ["REVISION", "TIME", "CHANGE"],
        shown.map((version) => [
          String(revisionOf(version)),
          version.metadata.updateTimestamp ?? "",
          describeChange(version, all),
        ]),
      );
  }
}

/** `versions` are newest first. */
export function describeChange(version: ResourceVersion, versions: readonly ResourceVersion[]): string {
  const older = versions.slice(versions.indexOf(version) + 1);
  const [before] = older;
  if (isTombstone(version)) return "deleted";
  const same = older.find((each) => !isTombstone(each) && sameContent(each, version));
  if (same !== undefined) return `as revision ${revisionOf(same)} again`;
  if (before === undefined) return versions.length < 10 ? "created" : "";
  if (isTombstone(before)) return "created again";
  const changes = fieldChanges(before, version);
  const more = changes.length > MAX_CHANGES ? ` and ${changes.length - MAX_CHANGES} more` : "";
  const named = changes.slice(0, MAX_CHANGES).map(({ path, before: old, after }) => {
    if (old === undefined) return `${path}: added ${short(after)}`;
    if (after === undefined) return `${path}: removed ${short(old)}`;
    return `${path}: ${short(old)} -> ${short(after)}`;
  });
  return `${named.join(", ")}${more}`;
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE - 3)}...` : text;
}
