import { ConfigClient } from "../../client/index.ts";
import { errorMessage } from "../../shared/base/index.ts";
import { formatKey, revisionOf } from "../../shared/model/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import {
  type DocumentKey,
  keyOfDocument,
  parseDocuments,
  readDocumentFiles,
  resolveKind,
  toResult,
  type UnreadableDocument,
} from "../documents.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { type WaitFlags, waitIfAsked, withConnectionOptions, withFilenameOption, withWaitOptions } from "../options.ts";
import { palette, renderApplyResult } from "../render.ts";
import type { AwaitedResource } from "../wait.ts";

interface DeleteFlags extends ConnectionFlags, WaitFlags {
  readonly filename: readonly string[];
  readonly namespace?: string;
}

interface Victim extends DocumentKey {
  /** How the success is reported. */
  readonly label: string;
}

/** By file or by kind and names; goes on after a failure and reports it in the exit code. */
export const DELETE: CommandDefinition = {
  name: "delete",
  group: "Configuration",
  summary: "delete configuration by file, or by kind and names",
  examples: [
    { what: "Undo a file, from its end", line: "lateen delete -f rule.yaml" },
    { what: "By name, and return when it is gone everywhere", line: "lateen delete routerule reviews-default --wait" },
  ],
  completes: ["kinds", "names"],
  define(command, { io, run }) {
    withFilenameOption(command.argument("[kind]").argument("[names...]")).option(
      "-n, --namespace <namespace>",
      "namespace (default: that of the kind, mostly default)",
    );
    withConnectionOptions(withWaitOptions(command)).action(
      (kind: string | undefined, names: readonly string[], flags: DeleteFlags) =>
        run(async () => {
          const { victims, unreadable } =
            flags.filename.length > 0
              ? await victimsOfFiles(kind, flags, io)
              : { victims: victimsByName(kind, names, flags.namespace), unreadable: [] };
          const colours = palette(io.colours);
          for (const document of unreadable)
            io.err(renderApplyResult(toResult(document), { dryRun: false, colours, file: document.file }));
          return withBus(flags, io, async (bus) => {
            const client = new ConfigClient(bus);
            const deleted: AwaitedResource[] = [];
            let failures = unreadable.length;
            for (const { label, kind, namespace, name } of victims) {
              try {
                const tombstone = await client.delete({ kind, namespace, name });
                deleted.push({ kind, namespace, name, revision: revisionOf(tombstone) });
                io.out(`Deleted config: ${label}`);
              } catch (error) {
                failures++;
                io.err(`cannot delete ${formatKey({ kind, namespace, name })}: ${errorMessage(error)}`);
              }
            }
            await waitIfAsked(bus, deleted, flags, io);
            return failures > 0 ? EXIT.failed : EXIT.ok;
          });
        }),
    );
  },
};

async function victimsOfFiles(
  kind: string | undefined,
  flags: DeleteFlags,
  io: CliIo,
): Promise<{ readonly victims: readonly Victim[]; readonly unreadable: readonly UnreadableDocument[] }> {
  if (kind !== undefined) throw new UsageError("give either -f, or a kind and names");
  const documents = (await readDocumentFiles(flags.filename, io)).flatMap(parseDocuments);
  if (documents.length === 0) throw new UsageError("nothing to delete");
  const victims = documents
    .filter((document) => "value" in document)
    .map((document) => {
      const key = keyOfDocument(document, flags.namespace);
      return { ...key, label: formatKey(key) };
    });
  // What refers comes last in a file, so the file is undone from its end.
  return { victims: victims.reverse(), unreadable: documents.filter((document) => "errors" in document) };
}

function victimsByName(
  spelling: string | undefined,
  names: readonly string[],
  namespace: string | undefined,
): readonly Victim[] {
  if (spelling === undefined || names.length === 0)
    throw new UsageError("provide configuration type and name or -f option");
  const { kind, namespaceDefault } = resolveKind(spelling);
  return names.map((name) => ({ kind, namespace: namespace ?? namespaceDefault, name, label: `${spelling} ${name}` }));
}
