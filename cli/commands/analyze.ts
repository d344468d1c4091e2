import { type Command, InvalidArgumentError, Option } from "commander";
import {
  analyze,
  isAtLeast,
  isSuppressed,
  type KnownService,
  LEVELS,
  type Level,
  type Message,
  parseSuppression,
  type Suppression,
  type World,
  type WrittenWorld,
  worldOfDocuments,
} from "../../shared/analysis/index.ts";
import { errorMessage } from "../../shared/base/index.ts";
import { createKindRegistry, formatKey } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import { readLiveWorld } from "../analysis/live-world.ts";
import { FORMATS, type MessageFormat, renderCodes, renderMessages, renderSummary } from "../analysis/render.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { type FileFlags, parseDocuments, readDocumentFiles } from "../documents.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { withConnectionOptions, withFilenameOption, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { palette } from "../render.ts";

interface AnalyzeFlags extends ConnectionFlags, FileFlags {
  readonly live?: boolean;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output: MessageFormat;
  readonly failureThreshold: Level;
  readonly suppress: readonly Suppression[];
  readonly listCodes?: boolean;
}

/** Judges what configuration means to each other and to what runs. */
export const ANALYZE: CommandDefinition = {
  name: "analyze",
  group: "Configuration",
  summary: "find what is wrong, ineffective or surprising in configuration",
  about:
    "Finds what is wrong, ineffective or surprising in configuration, though each document may be valid: references that lead nowhere, routes that are " +
    "never taken, hosts and gateways that conflict, policies that select nothing. Without -f it looks at the running mesh: its configuration, services, " +
    "proxies and certificates. With -f it looks at files alone, and at the Services and Deployments of Kubernetes among them; with --live as well, at the " +
    "mesh as it would be with the files applied. Every code is explained in docs/analysis.md.",
  examples: [
    { what: "The running mesh", line: "lateen analyze" },
    { what: "Files, without a mesh", line: "lateen analyze -f samples/bookinfo/rules" },
    { what: "The mesh as it would be with a file applied", line: "lateen analyze --live -f rule.yaml" },
    {
      what: "Warnings fail too, but for one that is meant",
      line: "lateen analyze --failure-threshold Warning --suppress LAT0201=VirtualService/reviews.default",
    },
    { what: "Every code", line: "lateen analyze --list-codes" },
  ],
  exitCodes: {
    [EXIT.ok]: "nothing at or above the threshold",
    [EXIT.failed]: "found something at or above the threshold, or the mesh did not answer",
    [EXIT.usage]: "wrong command line",
  },
  define(command, { io, run }) {
    withOptions(command).action((flags: AnalyzeFlags) => run(() => runAnalysis(flags, io)));
  },
};

function withOptions(command: Command): Command {
  withFilenameOption(command)
    .option("--live", "with -f: files over what the running mesh holds")
    .option(
      "-n, --namespace <namespace>",
      "only about objects of this namespace; also that of documents which name none",
    )
    .option("-A, --all-namespaces", "about objects of every namespace (the default)")
    .addOption(
      new Option("--failure-threshold <level>", `exit with 1 from this level on: ${LEVELS.join(", ")}`)
        .default("Error" satisfies Level)
        .argParser(parseLevel),
    )
    .addOption(
      new Option(
        "--suppress <code=object>",
        "leave out a code for Kind/name.namespace, where * is any text; may be repeated",
      )
        .default([], "none")
        .argParser(addSuppression),
    )
    .option("--list-codes", "show every code instead");
  return withConnectionOptions(withOutputOption(command, FORMATS, "how messages are written"));
}

function parseLevel(text: string): Level {
  const level = LEVELS.find((each) => each.toLowerCase() === text.toLowerCase());
  if (level === undefined) throw new InvalidArgumentError(`Levels are ${LEVELS.join(", ")}.`);
  return level;
}

function addSuppression(text: string, before: readonly Suppression[]): readonly Suppression[] {
  try {
    return [...before, parseSuppression(text)];
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
}

async function runAnalysis(flags: AnalyzeFlags, io: CliIo): Promise<number> {
  const { output, namespace } = flags;
  if (flags.listCodes === true) {
    io.out(renderCodes(output));
    return EXIT.ok;
  }
  if (flags.allNamespaces === true && namespace !== undefined)
    throw new UsageError("-A is every namespace: leave it or -n out");
  const world = await readWorld(flags, io);
  const all = analyze(world).filter(({ object }) => namespace === undefined || object.namespace === namespace);
  const messages = all.filter((message) => !isSuppressed(message, flags.suppress));
  const text = renderMessages(messages, output, palette(io.colours));
  if (text !== "") io.out(text);
  const summary = renderSummary(messages, world.resources.length, all.length - messages.length);
  if (output === "log" || output === "table") io.out(`${text === "" ? "" : "\n"}${summary}`);
  return messages.some(({ level }: Message) => isAtLeast(level, flags.failureThreshold)) ? EXIT.failed : EXIT.ok;
}

async function readWorld(flags: AnalyzeFlags, io: CliIo): Promise<World> {
  const files = flags.filename.length > 0 ? await readFiles(flags, io) : undefined;
  if (files !== undefined && flags.live !== true) return { ...files, live: undefined, nowMs: Date.now() };
  const live = await withBus(flags, io, (bus) =>
    withProgress(io, "Reading the mesh", (progress) => readLiveWorld(bus, progress)),
  );
  return { ...(files === undefined ? live : overlaid(live, files)), nowMs: Date.now() };
}

async function readFiles(flags: AnalyzeFlags, io: CliIo): Promise<WrittenWorld> {
  const { namespace } = flags;
  const documents = (await readDocumentFiles(flags, io)).flatMap((file) => parseDocuments(file));
  const written = documents.map(({ file, ...document }) => ({
    ...document,
    origin: file === "-" ? "standard input" : file,
  }));
  return worldOfDocuments(written, createKindRegistry(POLICY_KINDS), namespace);
}

/** The mesh as it would be with the files applied: what they replace keeps its age. */
function overlaid(live: Omit<World, "nowMs">, files: WrittenWorld): Omit<World, "nowMs"> {
  const stored = new Map(live.resources.map((resource) => [formatKey(resource.key), resource]));
  const applied = files.resources.map((resource) => {
    const before = stored.get(formatKey(resource.key));
    stored.delete(formatKey(resource.key));
    const creationTimestamp = before?.parsed?.resource.metadata.creationTimestamp;
    if (resource.parsed === undefined || creationTimestamp === undefined) return resource;
    const { resource: given } = resource.parsed;
    const aged = { ...given, metadata: { ...given.metadata, creationTimestamp } };
    return { ...resource, parsed: { ...resource.parsed, resource: aged } };
  });
  return {
    ...live,
    resources: [...stored.values(), ...applied],
    services: joined(live.services ?? [], files.services ?? []),
    namespaces: files.namespaces,
  };
}

/** What runs is known better than what files say of it. */
function joined(running: readonly KnownService[], written: readonly KnownService[]): readonly KnownService[] {
  const idOf = ({ namespace, name }: KnownService): string => `${namespace}/${name}`;
  const known = new Set(running.map(idOf));
  return [...running, ...written.filter((service) => !known.has(idOf(service)))];
}
