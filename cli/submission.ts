import { type ApplyResult, ConfigClient } from "../client/index.ts";
import type { Bus } from "../shared/bus/index.ts";
import { type ConnectionFlags, withBus } from "./connection.ts";
import {
  type DocumentFile,
  type FileDocument,
  type FileFlags,
  ofTheMesh,
  parseDocuments,
  toResult,
  type UnreadableDocument,
} from "./documents.ts";
import { type CliIo, EXIT } from "./io.ts";
import { type WaitFlags, waitIfAsked } from "./options.ts";
import { withProgress } from "./progress.ts";
import { palette, renderApplyResult } from "./render.ts";

export interface SubmitFlags extends ConnectionFlags, WaitFlags, FileFlags {
  readonly namespace?: string;
  readonly dryRun?: boolean;
  readonly output: string;
}

/** What is sent of one file, at once, so that Pilot can order what refers to each other. */
export interface Submission {
  readonly file: string;
  readonly text: string;
  /** Place in the file of each document that is sent; undefined: the file goes as it is. */
  readonly places?: readonly number[];
  /** What could not be sent. */
  readonly refused: readonly UnreadableDocument[];
}

/** A file whose readable documents are sent changed; objects of Kubernetes are left out. */
export function edited(file: DocumentFile, io: CliIo, edit: (document: FileDocument) => FileDocument): Submission {
  const documents = ofTheMesh(parseDocuments(file), io);
  const readable = documents.filter((document) => "value" in document).map(edit);
  return {
    file: file.name,
    text: readable.map(({ value }) => `---\n${JSON.stringify(value)}\n`).join(""),
    places: readable.map(({ place }) => place),
    refused: documents.filter((document) => "errors" in document),
  };
}

/** Whether there is nothing to send and nothing to report. */
export function isEmpty(submissions: readonly Submission[]): boolean {
  return submissions.every(({ places, refused }) => places?.length === 0 && refused.length === 0);
}

/** Sends, reports each document, waits when asked to. `explain` puts a refusal into the words of the command. */
export async function submit(
  io: CliIo,
  flags: SubmitFlags,
  prepared: readonly Submission[] | ((client: ConfigClient) => Promise<readonly Submission[]>),
  explain: (result: ApplyResult) => ApplyResult,
): Promise<number> {
  const dryRun = flags.dryRun === true;
  return withBus(flags, io, async (bus: Bus) => {
    const client = new ConfigClient(bus);
    const submissions = typeof prepared === "function" ? await prepared(client) : prepared;
    const colours = palette(io.colours);
    const results: ApplyResult[] = [];
    for (const submission of submissions) {
      const judged = await withProgress(io, `Applying ${submission.file}`, () => resultsOf(submission, client, dryRun));
      for (const result of judged.map(explain)) {
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
