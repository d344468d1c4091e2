import { ConfigClient, NotFoundError } from "../../client/index.ts";
import { InvalidArgumentError } from "../../shared/base/index.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { createKindRegistry, formatKey, keyOf, type Resource, revisionOf } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import {
  type FileDocument,
  type FileFlags,
  inNamespace,
  ofTheMesh,
  parseDocuments,
  readDocumentFiles,
  toResult,
} from "../documents.ts";
import { EXIT, UsageError } from "../io.ts";
import { withConnectionOptions, withFilenameOption, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { type Palette, palette, renderApplyResult } from "../render.ts";
import { canonicalYaml, type FieldChange, fieldChanges } from "../resources/canonical.ts";
import { unifiedDiff } from "../resources/unified-diff.ts";

interface DiffFlags extends ConnectionFlags, FileFlags {
  readonly namespace?: string;
  readonly output: "short" | "json";
}

/** One document beside what the mesh has of it. */
interface Compared {
  readonly file: string;
  readonly live: Resource | undefined;
  readonly local: Resource;
}

/** What applying files would change: both sides as the YAML that Pilot would store. */
export const DIFF: CommandDefinition = {
  name: "diff",
  group: "Configuration",
  summary: "show what applying files would change",
  about:
    "Compares files with what the mesh holds, both as Pilot would store them: the order of fields and their spelling make no difference. Pilot judges the files as well (a dry run), so a file that would be refused is an error here too.",
  examples: [
    { what: "Before applying", line: "lateen diff -f rules/" },
    { what: "In a script: is the mesh as the files say?", line: "lateen diff -f rules/ > /dev/null" },
  ],
  exitCodes: {
    [EXIT.ok]: "no difference",
    [EXIT.failed]: "there are differences",
    [EXIT.usage]: "wrong command line",
    [EXIT.noAnswer]: "a document would be refused, or the mesh could not be asked",
  },
  failureCode: EXIT.noAnswer,
  define(command, { io, run }) {
    withFilenameOption(command).option("-n, --namespace <namespace>", "namespace of documents that name none");
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action((flags: DiffFlags) =>
      run(async () => {
        const files = await readDocumentFiles(flags, io);
        const colours = palette(io.colours);
        const documents = ofTheMesh(files.flatMap(parseDocuments), io);
        if (documents.length === 0) throw new UsageError("nothing to compare");
        return withBus(flags, io, async (bus) => {
          const client = new ConfigClient(bus);
          const compared: Compared[] = [];
          let refused = 0;
          await withProgress(io, "Comparing", async () => {
            for (const document of documents) {
              const result = "errors" in document ? toResult(document) : await judged(document, flags, client);
              if ("live" in result) compared.push(result);
              else {
                refused++;
                io.err(renderApplyResult(result, { dryRun: false, colours, file: document.file }));
              }
            }
          });
          const text =
            flags.output === "json" ? renderJson(compared) : compared.map((each) => shown(each, colours)).join("\n");
          if (text.trim() !== "") io.out(text.replaceAll(/^\n+|\n+$/g, "").replaceAll(/\n{2,}/g, "\n"));
          if (refused > 0) return EXIT.noAnswer;
          return compared.some(({ live, local }) => changesOf(live, local).length > 0) ? EXIT.failed : EXIT.ok;
        });
      }),
    );
  },
};

/** The document as Pilot would store it and what there is of it, or why Pilot would refuse it. */
async function judged(document: FileDocument, { namespace }: DiffFlags, client: ConfigClient) {
  const { file, value, place } = namespace === undefined ? document : inNamespace(document, namespace);
  const { resourceVersion: _, ...metadata } = (value["metadata"] ?? {}) as Record<string, string>;
  const [result] = await client.apply(JSON.stringify({ ...value, metadata }), { dryRun: true });
  if (result === undefined) throw new InvalidArgumentError(`${file}: document ${place + 1} holds no resource`);
  if (result.outcome === "rejected") return { ...result, document: place };
  const parsed = parseResource(value, createKindRegistry(POLICY_KINDS), place);
  if (!parsed.ok) return toResult({ file, place, errors: parsed.errors });
  const local = parsed.parsed.resource;
  return { file, live: await liveOf(local, client), local };
}

async function liveOf(resource: Resource, client: ConfigClient): Promise<Resource | undefined> {
  try {
    return await client.get(keyOf(resource));
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

function changesOf(live: Resource | undefined, local: Resource): readonly FieldChange[] {
  if (live !== undefined) return fieldChanges(live, local);
  return [{ path: "", before: undefined, after: { ...local.spec } }];
}

function shown({ file, live, local }: Compared, colours: Palette): string {
  const from = live === undefined ? "" : canonicalYaml(live);
  const at = live === undefined ? "none" : `revision ${revisionOf(live)}`;
  const labels = { from: `mesh/${formatKey(keyOf(local))} (${at})`, to: file };
  return unifiedDiff(from, canonicalYaml(local), labels)
    .split("\n")
    .map((line) => (line.startsWith("-") ? colours.bad(line) : line.startsWith("+") ? colours.good(line) : line))
    .join("\n");
}

function renderJson(compared: readonly Compared[]): string {
  const items = compared.map(({ file, live, local }) => ({
    file,
    ...keyOf(local),
    revision: live === undefined ? 0 : revisionOf(live),
    changes: changesOf(live, local),
  }));
  return JSON.stringify({ items }, undefined, 2);
}
