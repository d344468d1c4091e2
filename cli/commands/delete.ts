import { ConfigClient, ConflictError, NotFoundError, type Tombstone } from "../../client/index.ts";
import { errorMessage } from "../../shared/base/index.ts";
import { formatKey, keyOf, revisionOf } from "../../shared/model/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import {
  type DocumentKey,
  type FileFlags,
  keyOfDocument,
  ofTheMesh,
  parseDocuments,
  readDocumentFiles,
  toResult,
  type UnreadableDocument,
} from "../documents.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import {
  type WaitFlags,
  waitIfAsked,
  withConnectionOptions,
  withFilenameOption,
  withOutputOption,
  withSelectionOptions,
  withWaitOptions,
} from "../options.ts";
import { palette, renderApplyResult } from "../render.ts";
import { listSelected, parseSelection, type SelectionFlags } from "../resources/selection.ts";

interface DeleteFlags extends ConnectionFlags, WaitFlags, SelectionFlags, FileFlags {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly ignoreNotFound?: boolean;
  readonly output: "short" | "name" | "json";
}

interface Victim extends DocumentKey {
  /** How the success is reported. */
  readonly label: string;
}

/** What is to go, and what of the files could not be read. */
interface Victims {
  readonly victims: readonly Victim[];
  readonly unreadable: readonly UnreadableDocument[];
}

/** By file, by kind and names, by label, or all of a namespace; goes on after a failure and reports it in the exit code. */
export const DELETE: CommandDefinition = {
  name: "delete",
  group: "Configuration",
  summary: "delete configuration by file, by kind and names, or by label",
  examples: [
    { what: "Undo a file, from its end", line: "lateen delete -f rule.yaml" },
    { what: "By name, and return when it is gone everywhere", line: "lateen delete routerule reviews-default --wait" },
    { what: "By label, in every namespace", line: "lateen delete vs,dr -l release=old -A" },
    { what: "All of a kind in a namespace; first only show which", line: "lateen delete vs --all -n shop --dry-run" },
  ],
  completes: ["kinds", "names"],
  define(command, { io, run }) {
    command
      .argument("[kind]", "such as routerule, vs, vs,dr, all or vs/reviews")
      .argument("[names...]", "names of that kind");
    withSelectionOptions(withFilenameOption(command))
      .option("--all", "all resources of the kinds in the namespace")
      .option("--ignore-not-found", "what is gone already is no failure")
      .option("--dry-run", "only show what would be deleted");
    withWaitOptions(withOutputOption(command, ["short", "name", "json"]));
    withConnectionOptions(command).action((kind: string | undefined, names: readonly string[], flags: DeleteFlags) =>
      run(async () => {
        const find = await finderOf(kind, names, flags, io);
        return withBus(flags, io, async (bus) => {
          const client = new ConfigClient(bus);
          const { victims, unreadable } = await find(client);
          const colours = palette(io.colours);
          for (const document of unreadable)
            io.err(renderApplyResult(toResult(document), { dryRun: false, colours, file: document.file }));
          if (victims.length === 0 && unreadable.length === 0) io.err("Nothing to delete.");
          const outcome = await deleteAll(client, victims, flags, io);
          if (flags.output === "json") io.out(JSON.stringify({ items: outcome.deleted }, undefined, 2));
          const gone = outcome.deleted.map((tombstone) => ({
            kind: tombstone.kind,
            ...tombstone.metadata,
            revision: revisionOf(tombstone),
          }));
          await waitIfAsked(bus, gone, flags, io);
          return outcome.failures + unreadable.length > 0 ? EXIT.failed : EXIT.ok;
        });
      }),
    );
  },
};

/** What others still need is tried again once something else is gone. */
async function deleteAll(
  client: ConfigClient,
  victims: readonly Victim[],
  flags: DeleteFlags,
  io: CliIo,
): Promise<{ readonly deleted: readonly Tombstone[]; readonly failures: number }> {
  const deleted: Tombstone[] = [];
  let left = victims;
  for (;;) {
    const failed: { readonly victim: Victim; readonly error: unknown }[] = [];
    for (const victim of left) {
      const { label, ...key } = victim;
      try {
        if (flags.dryRun === true) await client.get(key);
        else deleted.push(await client.delete(key));
        if (flags.output === "name") io.out(`${key.kind.toLowerCase()}/${key.name}`);
        else if (flags.output === "short")
          io.out(`Deleted config: ${label}${flags.dryRun === true ? " (dry run)" : ""}`);
      } catch (error) {
        if (flags.ignoreNotFound !== true || !(error instanceof NotFoundError)) failed.push({ victim, error });
      }
    }
    const canRetry = failed.length < left.length && failed.some(({ error }) => error instanceof ConflictError);
    if (canRetry) {
      left = failed.map(({ victim }) => victim);
      continue;
    }
    for (const { victim, error } of failed) io.err(`cannot delete ${formatKey(victim)}: ${errorMessage(error)}`);
    return { deleted, failures: failed.length };
  }
}

/** How the victims are found once there is a connection. Throws UsageError before that. */
async function finderOf(
  kind: string | undefined,
  names: readonly string[],
  flags: DeleteFlags,
  io: CliIo,
): Promise<(client: ConfigClient) => Promise<Victims>> {
  if (flags.filename.length > 0) {
    if (kind !== undefined) throw new UsageError("give either -f, or a kind and names");
    const victims = await victimsOfFiles(flags, io);
    return async () => victims;
  }
  if (kind === undefined) throw new UsageError("provide configuration type and name or -f option");
  const isBulk = flags.all === true || flags.selector !== undefined;
  if (!isBulk && names.length === 0 && !kind.includes("/"))
    throw new UsageError("provide configuration type and name or -f option; --all or -l delete more than one");
  const { kinds, named } = parseSelection([kind, ...names], flags);
  if (named === undefined) {
    return async (client) => {
      const resources = await listSelected(client, kinds, flags);
      const victims = resources.map((resource) => ({ ...keyOf(resource), label: formatKey(keyOf(resource)) }));
      return { victims, unreadable: [] };
    };
  }
  if (flags.all === true) throw new UsageError("give either names or --all");
  const victims = named.map(({ definition, name, label }) => ({
    kind: definition.kind,
    namespace: flags.namespace ?? definition.namespaceDefault,
    name,
    label,
  }));
  return async () => ({ victims, unreadable: [] });
}

async function victimsOfFiles(flags: DeleteFlags, io: CliIo): Promise<Victims> {
  const documents = ofTheMesh((await readDocumentFiles(flags, io)).flatMap(parseDocuments), io);
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
