import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { errorMessage } from "../shared/base/index.ts";
import { createKindRegistry, type KindDefinition, MAX_SUBMISSION_BYTES } from "../shared/model/index.ts";
import { type CliIo, UsageError } from "./io.ts";

/** The text of one file, which becomes one submission. */
export interface DocumentFile {
  /** As given; `-` for standard input. */
  readonly name: string;
  readonly text: string;
}

const EXTENSIONS = new Set([".yaml", ".yml", ".json"]);

/** Reads files, folders (their YAML and JSON files in order of name, no deeper) and `-`. Throws UsageError. */
export async function readDocumentFiles(names: readonly string[], io: CliIo): Promise<readonly DocumentFile[]> {
  if (names.length === 0) throw new UsageError("filename not specified (see --filename or -f)");
  const files: DocumentFile[] = [];
  for (const name of names) {
    if (name === "-") files.push({ name, text: await io.readStdin() });
    else for (const path of expand(name)) files.push({ name: path, text: readText(path) });
  }
  const tooLong = files.find(({ text }) => Buffer.byteLength(text) > MAX_SUBMISSION_BYTES - 4096);
  if (tooLong !== undefined) throw new UsageError(`${tooLong.name} is longer than 1 MiB; split it into several files`);
  return files;
}

function expand(name: string): string[] {
  try {
    if (!statSync(name).isDirectory()) return [name];
    const paths = readdirSync(name)
      .filter((entry) => EXTENSIONS.has(extname(entry)))
      .sort()
      .map((entry) => join(name, entry));
    if (paths.length > 0) return paths;
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${errorMessage(error)}`);
  }
  throw new UsageError(`no .yaml, .yml or .json file in ${name}`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${errorMessage(error)}`);
  }
}

interface LooseDocument {
  readonly kind?: unknown;
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown };
}

/** The file's documents as plain values, empty ones left out. Throws UsageError where the text is not YAML. */
export function parseDocuments({ name, text }: DocumentFile): readonly LooseDocument[] {
  const documents: LooseDocument[] = [];
  for (const document of parseAllDocuments(text)) {
    if (!("errors" in document)) continue;
    const [fault] = document.errors;
    if (fault !== undefined) throw new UsageError(`${name}: ${fault.message}`);
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    if (value === null || value === undefined) continue;
    if (typeof value !== "object") throw new UsageError(`${name}: a document is not an object`);
    documents.push(value as LooseDocument);
  }
  return documents;
}

/** One submission a document, each in the namespace asked for. Throws UsageError when a document names another. */
export function inNamespace(file: DocumentFile, namespace: string): readonly string[] {
  return parseDocuments(file).map((document) => {
    const given = document.metadata?.namespace;
    if (given !== undefined && given !== namespace) {
      throw new UsageError(
        `the namespace from the provided object "${String(given)}" does not match the namespace "${namespace}"; leave -n out or change the file`,
      );
    }
    return stringify({ ...document, metadata: { ...document.metadata, namespace } });
  });
}

export interface DocumentKey {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Which resource a document is, as far as deleting needs to know. Throws UsageError. */
export function keyOfDocument(document: LooseDocument, file: string, namespace: string | undefined): DocumentKey {
  const { kind, metadata } = document;
  if (typeof kind !== "string" || typeof metadata?.name !== "string")
    throw new UsageError(`${file}: a document has no kind or no metadata.name`);
  const definition = createKindRegistry().get(kind);
  if (definition === undefined) throw new UsageError(`${file}: kind ${kind} is not known`);
  const given = metadata.namespace;
  if (given !== undefined && namespace !== undefined && given !== namespace) {
    throw new UsageError(
      `the namespace from the provided object "${String(given)}" does not match the namespace "${namespace}"`,
    );
  }
  return {
    kind,
    name: metadata.name,
    namespace: typeof given === "string" ? given : (namespace ?? definition.namespaceDefault),
  };
}

/** The kind that a person means by singular or plural, in any letter case. Throws UsageError that names the right spelling. */
export function resolveKind(spelling: string | undefined): KindDefinition {
  const registry = createKindRegistry();
  const types = registry.definitions.map(({ kind }) => kind.toLowerCase()).join(", ");
  if (spelling === undefined) throw new UsageError(`specify the type of resource to get. Types are ${types}`);
  const bare = spelling.replaceAll("-", "");
  const known = registry.definitions.find(({ kind, plural }) =>
    [kind.toLowerCase(), plural.toLowerCase()].includes(bare.toLowerCase()),
  );
  if (known === undefined) {
    const meant = registry.suggest(spelling);
    const hint = meant === undefined ? "" : `; did you mean ${meant.toLowerCase()}?`;
    throw new UsageError(`configuration type ${spelling} not found${hint}, the types are ${types}`);
  }
  if (bare !== spelling)
    throw new UsageError(`"${spelling}" not recognized. Please use non-hyphenated resource name "${bare}"`);
  return known;
}
