import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { settingsFromFile } from "../client/index.ts";
import { errorMessage } from "../shared/base/index.ts";
import { type CliIo, UsageError } from "./io.ts";
import { whatThereIs } from "./not-found.ts";

/**
 * The meshes that a person works with: ~/.config/lateen/contexts.json, readable by its owner only, replaced as a whole so
 * that it is never half written. {"current": "a", "contexts": {"a": {...}}}
 */
export interface StoredContext {
  readonly natsUrl?: string;
  readonly user?: string;
  readonly password?: string;
  readonly prefix?: string;
  /** A file of credentials, read each time; what stands beside it wins. */
  readonly credentials?: string;
}

export interface Contexts {
  readonly current: string | undefined;
  readonly contexts: Readonly<Record<string, StoredContext>>;
}

const FIELDS = ["natsUrl", "user", "password", "prefix", "credentials"] as const;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export function contextsFile(io: CliIo): string {
  return join(nonEmpty(io.env["HOME"]) ?? homedir(), ".config/lateen/contexts.json");
}

/** None when there is no file. Throws UsageError for one that cannot be read. */
export function readContexts(io: CliIo): Contexts {
  const file = contextsFile(io);
  if (!existsSync(file)) return { current: undefined, contexts: {} };
  const { current, contexts = {} } = readJson(file) as { current?: unknown; contexts?: unknown };
  if (typeof contexts !== "object" || contexts === null || Array.isArray(contexts))
    throw new UsageError(`cannot read ${file}: contexts is not an object`);
  const named = Object.entries(contexts).map(([name, context]) => [name, toContext(context)] as const);
  return { current: nonEmpty(current), contexts: Object.fromEntries(named) };
}

export function writeContexts(io: CliIo, { current, contexts }: Contexts): void {
  const file = contextsFile(io);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const text = JSON.stringify({ ...(current !== undefined && { current }), contexts }, undefined, 2);
  const next = `${file}.${process.pid}.new`;
  try {
    writeFileSync(next, `${text}\n`, { mode: 0o600, flag: "wx" });
    renameSync(next, file);
  } catch (error) {
    rmSync(next, { force: true });
    throw new UsageError(`cannot write ${file}: ${errorMessage(error)}`);
  }
}

/** Throws UsageError that names those that exist. */
export function contextNamed(io: CliIo, name: string): StoredContext {
  const { contexts } = readContexts(io);
  const found = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (found !== undefined) return found;
  const file = contextsFile(io);
  if (!existsSync(file))
    throw new UsageError(
      `context ${JSON.stringify(name)} is asked for, but there is no ${file}; make one with lateen context set`,
    );
  throw new UsageError(`no context ${JSON.stringify(name)} in ${file}; ${whatThereIs(name, Object.keys(contexts))}`);
}

/** Throws UsageError. */
export function checkContextName(name: string): string {
  if (NAME.test(name) && name !== "__proto__") return name;
  throw new UsageError(
    `${JSON.stringify(name)} is no name for a context; use letters, digits, dots, dashes and underscores`,
  );
}

/** A file of one context, such as the demo's. */
export function readContextFile(file: string): StoredContext {
  return toContext(readJson(file));
}

/** With what its file of credentials says. Throws ConfigError for a file that cannot be read. */
export function completed(context: StoredContext): StoredContext {
  if (context.credentials === undefined) return context;
  const { servers, ...rest } = settingsFromFile(context.credentials);
  return { ...(servers !== undefined && { natsUrl: servers }), ...rest, ...context };
}

function toContext(value: unknown): StoredContext {
  const given = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  return Object.fromEntries(FIELDS.flatMap((field) => (nonEmpty(given[field]) ? [[field, given[field]]] : [])));
}

function readJson(file: string): object {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${errorMessage(error)}`);
  }
  throw new UsageError(`cannot read ${file}: it is not a JSON object`);
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
