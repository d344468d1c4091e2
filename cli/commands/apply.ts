import { Command } from "commander";
import { stringify } from "yaml";
import type { Bus } from "../../shared/bus/index.ts";
import { type ApplyOptions, type ApplyResult, ConfigClient } from "../config-client.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { inNamespace, parseDocuments, readDocumentFiles } from "../documents.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { type WaitFlags, waitIfAsked, withConnectionOptions, withWaitOptions } from "../options.ts";
import { palette, renderApplyResult } from "../render.ts";

interface ApplyFlags extends ConnectionFlags, WaitFlags {
  readonly filename: readonly string[];
  readonly namespace?: string;
  readonly dryRun?: boolean;
  readonly output: string;
}

interface Submission extends ApplyOptions {
  readonly text: string;
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
      const texts =
        namespace === undefined ? files.map(({ text }) => text) : files.flatMap((file) => inNamespace(file, namespace));
      return submit(
        io,
        flags,
        texts.map((text) => ({ text })),
      );
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
      const texts = files.flatMap((file) =>
        namespace === undefined
          ? parseDocuments(file).map((document) => stringify(document))
          : inNamespace(file, namespace),
      );
      if (texts.length === 0) throw new UsageError("nothing to create");
      return submit(
        io,
        flags,
        texts.map((text) => ({ text, expectRevision: 0 })),
      );
    }),
  );
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

async function submit(io: CliIo, flags: ApplyFlags, submissions: readonly Submission[]): Promise<number> {
  if (flags.output !== "short" && flags.output !== "json")
    throw new UsageError(`unknown output format ${flags.output}. Types are short|json`);
  const dryRun = flags.dryRun === true;
  return withBus(flags, io, async (bus: Bus) => {
    const client = new ConfigClient(bus);
    const colours = palette(io.isTerminal);
    const results: ApplyResult[] = [];
    for (const { text, ...options } of submissions) {
      for (const result of await client.apply(text, { ...options, dryRun })) {
        results.push(result);
        if (flags.output === "json") continue;
        const rendered = renderApplyResult(options.expectRevision === 0 ? explainExisting(result) : result, {
          dryRun,
          colours,
        });
        if (result.outcome === "rejected") io.err(rendered);
        else io.out(rendered);
      }
    }
    if (flags.output === "json") io.out(JSON.stringify({ results }, undefined, 2));
    if (!dryRun) await waitIfAsked(bus, results, flags, io);
    if (results.length === 0) io.err("nothing to apply: no document found");
    return results.length === 0 || results.some(({ outcome }) => outcome === "rejected") ? EXIT.failed : EXIT.ok;
  });
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
