import { resolve } from "node:path";
import type { CommandDefinition, SubcommandDefinition } from "../command.ts";
import {
  checkContextName,
  completed,
  contextNamed,
  readContexts,
  type StoredContext,
  writeContexts,
} from "../contexts.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { withOutputOption } from "../options.ts";
import { renderTable } from "../render.ts";
import { withoutLogin } from "../safe-text.ts";

interface OutputFlags {
  readonly output: "short" | "json";
}

interface SetFlags extends OutputFlags {
  readonly natsUrl?: string;
  readonly natsUser?: string;
  readonly natsPassword?: string;
  readonly passwordStdin?: boolean;
  readonly meshPrefix?: string;
  readonly credentials?: string;
  readonly use?: boolean;
}

/** What may be shown of a context: everything but its password. */
function shown(context: StoredContext): object {
  const { password, natsUrl, ...rest } = context;
  const address = natsUrl === undefined ? {} : { natsUrl: withoutLogin(natsUrl) };
  return { ...address, ...rest, ...(password !== undefined && { password: "(set)" }) };
}

/** As a list has it. */
function contextJson(name: string, context: StoredContext, current: boolean): string {
  return JSON.stringify({ name, current, ...shown(context) }, undefined, 2);
}

const LIST: SubcommandDefinition = {
  name: "list",
  aliases: ["ls"],
  summary: "list the contexts; a star marks the current one",
  examples: [{ what: "All contexts", line: "lateen context list" }],
  define(command, { io, run }) {
    withOutputOption(command, ["short", "json"]).action((flags: OutputFlags) =>
      run(async () => {
        const { current, contexts } = readContexts(io);
        const all = Object.entries(contexts).sort(([a], [b]) => (a < b ? -1 : 1));
        if (flags.output === "json") {
          const items = all.map(([name, context]) => ({ name, current: name === current, ...shown(context) }));
          io.out(JSON.stringify({ items }, undefined, 2));
        } else if (all.length === 0) io.out("No contexts. Make one with: lateen context set NAME --nats-url URL");
        else {
          const rows = all.map(([name, { natsUrl = "", user = "", prefix = "mesh", credentials = "" }]) => [
            name === current ? "*" : "",
            name,
            withoutLogin(natsUrl),
            user,
            prefix,
            credentials,
          ]);
          io.out(renderTable(["CURRENT", "NAME", "SERVER", "USER", "PREFIX", "CREDENTIALS"], rows));
        }
        return EXIT.ok;
      }),
    );
  },
};

const USE: SubcommandDefinition = {
  name: "use",
  summary: "make a context the current one",
  examples: [{ what: "From now on, the mesh called staging", line: "lateen context use staging" }],
  completes: ["contexts", []],
  define(command, { io, run }) {
    withOutputOption(command.argument("<name>"), ["short", "json"]).action((name: string, flags: OutputFlags) =>
      run(async () => {
        const context = contextNamed(io, name);
        writeContexts(io, { ...readContexts(io), current: name });
        io.out(flags.output === "json" ? contextJson(name, context, true) : `Switched to context ${name}`);
        return EXIT.ok;
      }),
    );
  },
};

const SET: SubcommandDefinition = {
  name: "set",
  summary: "make or change a context",
  about:
    "Makes a context, or changes what is given of one that exists. Contexts lie in ~/.config/lateen/contexts.json, which only you can read. The first one becomes the current one.",
  examples: [
    {
      what: "With a credentials file of bus-config, which is read each time",
      line: "lateen context set staging --credentials bus/operator/credentials.env --use",
    },
    {
      what: "With a password that stands in no process list",
      line: "lateen context set staging --nats-url nats://10.0.0.1:4222 --nats-user operator --password-stdin < password.txt",
    },
  ],
  completes: ["contexts", []],
  define(command, { io, run }) {
    command
      .argument("<name>")
      .option("--nats-url <url>", "NATS servers, comma-separated")
      .option("--nats-user <user>", "user name on the bus")
      .option("--nats-password <password>", "its password; --password-stdin keeps it out of the process list")
      .option("--password-stdin", "read the password from standard input")
      .option("--mesh-prefix <prefix>", "first token of every subject")
      .option("--credentials <file>", "file of NAME=value lines, or JSON; read each time the context is used")
      .option("--use", "make it the current one");
    withOutputOption(command, ["short", "json"]).action((name: string, flags: SetFlags) =>
      run(async () => {
        checkContextName(name);
        const { current, contexts } = readContexts(io);
        const before = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
        const context: StoredContext = { ...before, ...(await contextOf(flags, io)) };
        completed(context);
        if (context.natsUrl === undefined && context.credentials === undefined)
          throw new UsageError("give --nats-url or --credentials: a context says where its mesh is");
        const next = flags.use === true || current === undefined ? name : current;
        writeContexts(io, { current: next, contexts: { ...contexts, [name]: context } });
        const did = before === undefined ? "Created" : "Changed";
        io.out(
          flags.output === "json"
            ? contextJson(name, context, next === name)
            : `${did} context ${name}${next === name ? ", the current one" : ""}`,
        );
        return EXIT.ok;
      }),
    );
  },
};

const DELETE: SubcommandDefinition = {
  name: "delete",
  aliases: ["rm"],
  summary: "forget contexts",
  examples: [{ what: "Forget two", line: "lateen context delete old older" }],
  completes: ["contexts"],
  define(command, { io, run }) {
    withOutputOption(command.argument("<names...>"), ["short", "json"]).action(
      (names: readonly string[], flags: OutputFlags) =>
        run(async () => {
          for (const name of names) contextNamed(io, name);
          const { current, contexts } = readContexts(io);
          const left = Object.entries(contexts).filter(([name]) => !names.includes(name));
          const next = current !== undefined && names.includes(current) ? undefined : current;
          writeContexts(io, { current: next, contexts: Object.fromEntries(left) });
          if (flags.output === "json") io.out(JSON.stringify({ deleted: names, current: next ?? null }, undefined, 2));
          else for (const name of names) io.out(`Deleted context ${name}`);
          if (next !== current) io.err("No context is current now; see lateen context use");
          return EXIT.ok;
        }),
    );
  },
};

const SHOW: SubcommandDefinition = {
  name: "show",
  summary: "show a context without its password; by default the current one",
  examples: [{ what: "Where commands go now", line: "lateen context show" }],
  completes: ["contexts", []],
  define(command, { io, run }) {
    withOutputOption(command.argument("[name]"), ["short", "json"]).action(
      (name: string | undefined, flags: OutputFlags) =>
        run(async () => {
          const wanted = name ?? readContexts(io).current;
          if (wanted === undefined) throw new UsageError("no context is current; see lateen context list");
          const content = { name: wanted, ...shown(completed(contextNamed(io, wanted))) };
          io.out(
            flags.output === "json"
              ? JSON.stringify(content, undefined, 2)
              : Object.entries(content)
                  .map(([field, value]) => `${field}: ${value}`)
                  .join("\n"),
          );
          return EXIT.ok;
        }),
    );
  },
};

/** The meshes that a person works with. */
export const CONTEXT: CommandDefinition = {
  name: "context",
  group: "Command line",
  summary: "keep addresses and credentials of several meshes",
  about:
    "A context is one mesh's address and credentials. Commands use the current one unless flags or the environment name another.",
  examples: [
    { what: "Which there are", line: "lateen context list" },
    { what: "One command somewhere else", line: "lateen get vs --context staging" },
    {
      what: "The mesh of a file of credentials",
      line: "lateen context set staging --credentials bus/operator/credentials.env",
    },
  ],
  subcommands: [LIST, USE, SET, SHOW, DELETE],
};

async function contextOf(flags: SetFlags, io: CliIo): Promise<StoredContext> {
  if (flags.passwordStdin === true && flags.natsPassword !== undefined)
    throw new UsageError("give either --nats-password or --password-stdin");
  const password = flags.passwordStdin === true ? (await io.readStdin()).replace(/\r?\n$/, "") : flags.natsPassword;
  return {
    ...(flags.natsUrl !== undefined && { natsUrl: flags.natsUrl }),
    ...(flags.natsUser !== undefined && { user: flags.natsUser }),
    ...(password !== undefined && { password }),
    ...(flags.meshPrefix !== undefined && { prefix: flags.meshPrefix }),
    ...(flags.credentials !== undefined && { credentials: resolve(io.cwd, flags.credentials) }),
  };
}
