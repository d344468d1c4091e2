import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { errorMessage, UnavailableError } from "../shared/base/index.ts";
import { type Bus, connectBus } from "../shared/bus/index.ts";
import { createLogger } from "../shared/obs/index.ts";
import { Subjects } from "../shared/wire/index.ts";
import { type CliIo, UsageError } from "./io.ts";
import { withProgress } from "./progress.ts";

/**
 * Which mesh a command speaks to. In this order: flags, the environment (NATS_URL, NATS_USER, NATS_PASSWORD,
 * MESH_PREFIX), a context, the demo that runs in this folder (.demo/context.json), a server on this machine.
 *
 * A context is one mesh's address and credentials. LATEEN_CONTEXT_FILE names a file of one; else
 * ~/.config/lateen/contexts.json holds several ({"current": "a", "contexts": {"a": {...}}}), and --context or
 * LATEEN_CONTEXT says which. Once a server is named by a flag or the environment, no context is read: credentials
 * of one mesh are never sent to another.
 */
export interface ConnectionFlags {
  readonly natsUrl?: string;
  readonly natsUser?: string;
  readonly natsPassword?: string;
  readonly meshPrefix?: string;
  readonly context?: string;
}

export interface MeshAddress {
  readonly natsUrl: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly prefix: string;
}

interface StoredContext {
  readonly natsUrl?: unknown;
  readonly user?: unknown;
  readonly password?: unknown;
  readonly prefix?: unknown;
}

const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 60_000;
const DEFAULT_URL = "nats://127.0.0.1:4222";
const DEFAULT_USER = "operator";

/** Throws UsageError for a context that is not there or not readable. */
export function resolveAddress(flags: ConnectionFlags, io: CliIo): MeshAddress {
  const natsUrl = flags.natsUrl ?? nonEmpty(io.env["NATS_URL"]);
  const stored = natsUrl === undefined ? readContext(flags, io) : {};
  return {
    natsUrl: natsUrl ?? text(stored.natsUrl) ?? DEFAULT_URL,
    user: flags.natsUser ?? nonEmpty(io.env["NATS_USER"]) ?? text(stored.user),
    password: flags.natsPassword ?? nonEmpty(io.env["NATS_PASSWORD"]) ?? text(stored.password),
    prefix: flags.meshPrefix ?? nonEmpty(io.env["MESH_PREFIX"]) ?? text(stored.prefix) ?? "mesh",
  };
}

/** Connects as an operator, runs, closes. Throws UnavailableError when the server cannot be reached within 5 s. */
export async function withBus<T>(flags: ConnectionFlags, io: CliIo, run: (bus: Bus) => Promise<T>): Promise<T> {
  const address = resolveAddress(flags, io);
  // The mesh's own timers let a process end; a command that waits for an answer must not end before it.
  const keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
  try {
    const bus = await withProgress(io, `Connecting to ${address.natsUrl}`, () => connect(address));
    try {
      return await run(bus);
    } finally {
      await bus.close();
    }
  } finally {
    clearInterval(keepAlive);
  }
}

async function connect(address: MeshAddress): Promise<Bus> {
  const subjects = new Subjects(address.prefix);
  try {
    return await connectBus({
      servers: address.natsUrl,
      ...(address.user === undefined ? {} : { user: address.user }),
      ...(address.password === undefined ? {} : { password: address.password }),
      name: "lateen-cli",
      inboxPrefix: subjects.inbox(address.user ?? DEFAULT_USER),
      subjects,
      log: createLogger({ component: "cli", level: "error" }),
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    });
  } catch (error) {
    const why = error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : errorMessage(error);
    throw new UnavailableError(`cannot connect to ${address.natsUrl}: ${why}`, { cause: error });
  }
}

function readContext(flags: ConnectionFlags, io: CliIo): StoredContext {
  const name = flags.context ?? nonEmpty(io.env["LATEEN_CONTEXT"]);
  const file = nonEmpty(io.env["LATEEN_CONTEXT_FILE"]);
  if (name === undefined && file !== undefined) return readJson(file) as StoredContext;
  const contextsFile = join(nonEmpty(io.env["HOME"]) ?? homedir(), ".config/lateen/contexts.json");
  if (existsSync(contextsFile)) {
    const { current, contexts = {} } = readJson(contextsFile) as {
      current?: unknown;
      contexts?: Record<string, StoredContext>;
    };
    const wanted = name ?? text(current);
    if (wanted !== undefined) {
      const found = Object.hasOwn(contexts, wanted) ? contexts[wanted] : undefined;
      if (found !== undefined) return found;
      throw new UsageError(
        `no context ${JSON.stringify(wanted)} in ${contextsFile}; it has: ${Object.keys(contexts).join(", ") || "none"}`,
      );
    }
  } else if (name !== undefined) {
    throw new UsageError(`context ${JSON.stringify(name)} is asked for, but there is no ${contextsFile}`);
  }
  const demoFile = join(io.cwd, ".demo/context.json");
  return existsSync(demoFile) ? (readJson(demoFile) as StoredContext) : {};
}

function readJson(file: string): object {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${errorMessage(error)}`);
  }
  throw new UsageError(`cannot read ${file}: it is not a JSON object`);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}
