import { existsSync } from "node:fs";
import { join } from "node:path";
import { DeniedError, errorMessage, UnavailableError } from "../shared/base/index.ts";
import { type Bus, connectBus } from "../shared/bus/index.ts";
import { createLogger } from "../shared/obs/index.ts";
import { Subjects } from "../shared/wire/index.ts";
import { completed, contextNamed, readContextFile, readContexts, type StoredContext } from "./contexts.ts";
import { type CliIo, UsageError } from "./io.ts";
import { withProgress } from "./progress.ts";
import { withoutLogin } from "./safe-text.ts";

/**
 * Which mesh a command speaks to. In this order: flags, the environment (NATS_URL, NATS_USER, NATS_PASSWORD,
 * MESH_PREFIX), a context, the demo that runs in this folder (.demo/context.json), a server on this machine.
 *
 * A context is one mesh's address and credentials. LATEEN_CONTEXT_FILE names a file of one; else
 * ~/.config/lateen/contexts.json holds several ({"current": "a", "contexts": {"a": {...}}}), and --context or
 * LATEEN_CONTEXT says which. Once a server is named by a flag or the environment, no context is read, and a context that
 * --context names is taken whole, without the environment: credentials of one mesh are never sent to another.
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

const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 60_000;
const DEFAULT_URL = "nats://127.0.0.1:4222";
const DEFAULT_USER = "operator";

/** Throws UsageError for a context that is not there or not readable. */
export function resolveAddress(flags: ConnectionFlags, io: CliIo): MeshAddress {
  if (flags.natsUrl !== undefined && flags.context !== undefined)
    throw new UsageError("give either --nats-url or --context: credentials of one mesh are never sent to another");
  // A context that a flag names is meant as a whole.
  const env = flags.context === undefined ? io.env : {};
  const natsUrl = flags.natsUrl ?? nonEmpty(env["NATS_URL"]);
  const stored = natsUrl === undefined ? completed(chosenContext(flags, io)) : {};
  return {
    natsUrl: natsUrl ?? stored.natsUrl ?? DEFAULT_URL,
    user: flags.natsUser ?? nonEmpty(env["NATS_USER"]) ?? stored.user,
    password: flags.natsPassword ?? nonEmpty(env["NATS_PASSWORD"]) ?? stored.password,
    prefix: flags.meshPrefix ?? nonEmpty(env["MESH_PREFIX"]) ?? stored.prefix ?? "mesh",
  };
}

/** Connects as an operator, runs, closes. Throws UnavailableError when the server cannot be reached within 5 s. */
export async function withBus<T>(
  flags: ConnectionFlags,
  io: CliIo,
  run: (bus: Bus) => Promise<T>,
  { connectTimeoutMs = CONNECT_TIMEOUT_MS }: { readonly connectTimeoutMs?: number } = {},
): Promise<T> {
  const address = resolveAddress(flags, io);
  // The mesh's own timers let a process end; a command that waits for an answer must not end before it.
  const keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
  try {
    const bus = await withProgress(io, `Connecting to ${withoutLogin(address.natsUrl)}`, () =>
      connect(address, connectTimeoutMs),
    );
    try {
      return await run(bus);
    } finally {
      await bus.close();
    }
  } finally {
    clearInterval(keepAlive);
  }
}

async function connect(address: MeshAddress, connectTimeoutMs: number): Promise<Bus> {
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
      connectTimeoutMs,
    });
  } catch (error) {
    const why = error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : errorMessage(error);
    if (/authorization violation|authentication/i.test(why)) {
      const who =
        address.user === undefined ? "somebody without a user name" : `user ${address.user} with this password`;
      throw new DeniedError(`${withoutLogin(address.natsUrl)} does not let in ${who}`, { cause: error });
    }
    throw new UnavailableError(`cannot connect to ${withoutLogin(address.natsUrl)}: ${why}`, { cause: error });
  }
}

function chosenContext(flags: ConnectionFlags, io: CliIo): StoredContext {
  const name = flags.context ?? nonEmpty(io.env["LATEEN_CONTEXT"]);
  const file = nonEmpty(io.env["LATEEN_CONTEXT_FILE"]);
  if (name === undefined && file !== undefined) return readContextFile(file);
  const wanted = name ?? readContexts(io).current;
  if (wanted !== undefined) return contextNamed(io, wanted);
  const demoFile = join(io.cwd, ".demo/context.json");
  return existsSync(demoFile) ? readContextFile(demoFile) : {};
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}
