import { Command } from "commander";
import type { Bus } from "../../shared/bus/index.ts";
import { type ApplyResult, ConfigClient } from "../config-client.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import {
  type DocumentFile,
  type FileDocument,
  inNamespace,
  parseDocuments,
  readDocumentFiles,
  toResult,
  type UnreadableDocument,
  withMetadata,
} from "../documents.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { type WaitFlags, waitIfAsked, withConnectionOptions, withWaitOptions } from "../options.ts";
import { palette, renderApplyResult } from "../render.ts";

interface ApplyFlags extends ConnectionFlags, WaitFlags {
  readonly filename: readonly string[];
  readonly namespace?: string;
  readonly dryRun?: boolean;
  readonly output: string;
}

/** What is sent of one file, at once, so that Pilot can order what refers to each other. */
interface Submission {
  readonly file: string;
  readonly text: string;
  /** Place in the file of each document that is sent; undefined: the file goes as it is. */
  readonly places?: readonly number[];
  /** What could not be sent. */
  readonly refused: readonly UnreadableDocument[];
}

export type RunCommand = (run: () => Promise<number>) => Promise<void>;

/** `lateen apply`: creates or updates; a file's documents go together and each is judged alone. */
export function applyCommand(io: CliIo, run: RunCommand): Command {
  const command = describe(
    new Command("apply"),
    "create or update configuration from files, folders or standard input (-)",
  );
  return command.action((flags: ApplyFlags) =>
    run(async () => {
      const files = await readDocumentFiles(flags.filename, io);
      const { namespace } = flags;
      const submissions =
        namespace === undefined
          ? files.map(({ name, text }): Submission => ({ file: name, text, refused: [] }))
          : files.map((file) => edited(file, (document) => inNamespace(document, namespace)));
      return submit(io, flags, submissions, (result) => result);
    }),
  );
}

/** `lateen create`: like apply, for what does not exist yet. */
export function createCommand(io: CliIo, run: RunCommand): Command {
  const command = describe(new Command("create"), "create configuration; refused where it exists already");
  return command.action((flags: ApplyFlags) =>
    run(async () => {
      const files = await readDocumentFiles(flags.filename, io);
      const { namespace } = flags;
      const submissions = files.map((file) =>
        edited(file, (document) =>
          withMetadata(namespace === undefined ? document : inNamespace(document, namespace), NOT_THERE_YET),
        ),
      );
      if (submissions.every(({ places, refused }) => places?.length === 0 && refused.length === 0))
        throw new UsageError("nothing to create");
      return submit(io, flags, submissions, explainExisting);
    }),
  );
}

/** What Pilot takes as: there must be none. */
const NOT_THERE_YET = { resourceVersion: "0" };

/** A file whose readable documents are sent changed. */
function edited(file: DocumentFile, edit: (document: FileDocument) => FileDocument): Submission {
  const documents = parseDocuments(file);
  const readable = documents.filter((document) => "value" in document).map(edit);
  return {
    file: file.name,
    text: readable.map(({ value }) => `---\n${JSON.stringify(value)}\n`).join(""),
    places: readable.map(({ place }) => place),
    refused: documents.filter((document) => "errors" in document),
  };
}

function describe(command: Command, text: string): Command {
  const collect = (value: string, before: readonly string[]) => [...before, value];
  return withWaitOptions(
    withConnectionOptions(command)
      .description(text)
      .option("-f, --filename <path>", "file, folder or -; may be repeated", collect, [])
      .option("-n, --namespace <namespace>", "namespace of documents that name none")
      .option("--dry-run", "judge only, change nothing")
      .option("-o, --output <format>", "short or json", "short"),
  );
}

async function submit(
  io: CliIo,
  flags: ApplyFlags,
  submissions: readonly Submission[],
  explain: (result: ApplyResult) => ApplyResult,
): Promise<number> {
  if (flags.output !== "short" && flags.output !== "json")
    throw new UsageError(`unknown output format ${flags.output}. Types are short|json`);
  const dryRun = flags.dryRun === true;
  return withBus(flags, io, async (bus: Bus) => {
    const client = new ConfigClient(bus);
    const colours = palette(io.isTerminal);
    const results: ApplyResult[] = [];
    for (const submission of submissions) {
      for (const result of (await resultsOf(submission, client, dryRun)).map(explain)) {
        results.push(result);
        if (flags.output === "json") continue;
        const of = submissions.length > 1 ? submission.file : undefined;
        const rendered = renderApplyResult(result, { dryRun, colours, ...(of !== undefined && { file: of }) });
        if (result.outcome === "rejected") io.err(rendered);
        else io.out(rendered);
      }
    }
    if (flags.output === "json") io.out(JSON.stringify({ results }, undefined, 2));
    if (!dryRun) await waitIfAsked(bus, results, flags, io);
    return results.some(({ outcome }) => outcome === "rejected") ? EXIT.failed : EXIT.ok;
  });
}

/** In the order of the file. */
async function resultsOf(submission: Submission, client: ConfigClient, dryRun: boolean): Promise<ApplyResult[]> {
  const { text, places, refused } = submission;
  const judged = places?.length === 0 ? [] : await client.apply(text, { dryRun });
  const results = [
    ...judged.map((result) => ({ ...result, document: places?.[result.document] ?? result.document })),
    ...refused.map(toResult),
  ];
  return results.sort((a, b) => a.document - b.document);
}

/** What Pilot sees as a stale revision is, to who asked for something new, that it exists. */
function explainExisting(result: ApplyResult): ApplyResult {
  const errors = result.errors.map((error) =>
    error.path === "metadata.resourceVersion" && error.value === "0"
      ? {
          ...error,
          path: "metadata.name",
          value: result.name,
          reason: "exists already",
          remedy: "use apply to change it",
        }
      : error,
  );
  return { ...result, errors };
}
