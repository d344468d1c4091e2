import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import type { ApplyResult } from "../client/index.ts";
import { isPlatformDocument } from "../shared/analysis/index.ts";
import { errorMessage } from "../shared/base/index.ts";
import { MAX_SUBMISSION_BYTES, readDocuments } from "../shared/model/documents.ts";
import {
  createKindRegistry,
  type FieldError,
  type JsonObject,
  type JsonValue,
  type KindDefinition,
} from "../shared/model/index.ts";
import { type CliIo, UsageError } from "./io.ts";

/** The text of one file, which becomes one submission. */
export interface DocumentFile {
  /** As given; `-` for standard input. */
  readonly name: string;
  readonly text: string;
}

const EXTENSIONS = new Set([".yaml", ".yml", ".json"]);

export interface FileFlags {
  readonly filename: readonly string[];
  /** Folders with all that is below them. */
  readonly recursive?: boolean;
}

/** Reads files, folders (their YAML and JSON files in order of name) and `-`. Throws UsageError. */
export async function readDocumentFiles(
  { filename: names, recursive = false }: FileFlags,
  io: CliIo,
): Promise<readonly DocumentFile[]> {
  if (names.length === 0) throw new UsageError("filename not specified (see --filename or -f)");
  const files: DocumentFile[] = [];
  for (const name of names) {
    if (name === "-") files.push({ name, text: await io.readStdin() });
    else for (const path of expand(name, recursive)) files.push({ name: path, text: readText(path) });
  }
  const tooLong = files.find(({ text }) => Buffer.byteLength(text) > MAX_SUBMISSION_BYTES - 4096);
  if (tooLong !== undefined) throw new UsageError(`${tooLong.name} is longer than 1 MiB; split it into several files`);
  return files;
}

function expand(name: string, recursive: boolean): string[] {
  try {
    if (!statSync(name).isDirectory()) return [name];
    const paths = readdirSync(name, { recursive, encoding: "utf8" })
      .filter((entry) => EXTENSIONS.has(extname(entry)))
      .sort()
      .map((entry) => join(name, entry));
    if (paths.length > 0) return paths;
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${errorMessage(error)}`);
  }
  const deeper = recursive ? "" : "; -R looks into the folders below it too";
  throw new UsageError(`no .yaml, .yml or .json file in ${name}${deeper}`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${errorMessage(error)}`);
  }
}

/** A document of a file, as far as it can be read. */
export interface FileDocument {
  /** The file's name as given. */
  readonly file: string;
  /** Place in the file, from 0; the items of a list count one by one. */
  readonly place: number;
  readonly value: JsonObject;
}

/** A document that is no object at all; the mesh is not asked about it. */
export interface UnreadableDocument {
  readonly file: string;
  readonly place: number;
  readonly errors: readonly FieldError[];
}

/** The file's documents, read as Pilot reads them: one that is not readable does not take the others along. */
export function parseDocuments({ name, text }: DocumentFile): readonly (FileDocument | UnreadableDocument)[] {
  return readDocuments(text).map((content, place) => {
    if ("errors" in content) return { file: name, place, errors: content.errors };
    if (isObject(content.value)) return { file: name, place, value: content.value };
    const errors = [{ path: "", value: null, reason: "not an object", remedy: "write a resource" }];
    return { file: name, place, errors };
  });
}

/**
 * Without the objects of Kubernetes that stand beside rules in many files (Services, Deployments): they are not the mesh's
 * to judge or to keep, and whoever gave them is told so.
 */
export function ofTheMesh<T extends FileDocument | UnreadableDocument>(
  documents: readonly T[],
  io: Pick<CliIo, "err">,
): readonly T[] {
  return documents.filter((document) => {
    if (!("value" in document) || !isPlatformDocument(document.value)) return true;
    const { kind } = document.value;
    const { name } = metadataOf(document);
    io.err(`Left out ${String(kind).toLowerCase()}/${String(name)} of ${document.file}: an object of Kubernetes`);
    return false;
  });
}

/** Whether nothing in a file is an object of Kubernetes. */
export function isOfTheMesh(file: DocumentFile): boolean {
  return parseDocuments(file).every((document) => !("value" in document) || !isPlatformDocument(document.value));
}

/** An unreadable document, told like one that Pilot refused. */
export function toResult({ place, errors }: UnreadableDocument): ApplyResult {
  const nameless = { kind: "", namespace: "", name: "" };
  return { document: place, ...nameless, outcome: "rejected", revision: 0, errors, warnings: [] };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The document in the namespace asked for. Throws UsageError when it names another. */
export function inNamespace(document: FileDocument, namespace: string): FileDocument {
  const { namespace: given } = metadataOf(document);
  if (given !== undefined && given !== namespace) {
    throw new UsageError(
      `the namespace from the provided object "${String(given)}" does not match the namespace "${namespace}"; leave -n out or change the file`,
    );
  }
  return withMetadata(document, { namespace });
}

/** The document with more in its metadata; unchanged where that is no object, for Pilot to say so. */
export function withMetadata(document: FileDocument, more: JsonObject): FileDocument {
  const { metadata = {} } = document.value;
  if (!isObject(metadata)) return document;
  return { ...document, value: { ...document.value, metadata: { ...metadata, ...more } } };
}

/** The document with the revision that it is to replace, told so that nobody takes it for one of Kubernetes. */
export function withRevision(document: FileDocument, resourceVersion: string): FileDocument {
  const { uid: _, ...metadata } = metadataOf(document);
  return isObject(document.value["metadata"] ?? {})
    ? { ...document, value: { ...document.value, metadata: { ...metadata, resourceVersion } } }
    : document;
}

/** The revision that a document says it replaces; one beside a uid is of Kubernetes and says nothing here. */
export function revisionGiven(document: FileDocument): JsonValue | undefined {
  const { uid, resourceVersion } = metadataOf(document);
  return uid === undefined ? resourceVersion : undefined;
}

function metadataOf({ value }: FileDocument): JsonObject {
  return isObject(value["metadata"]) ? value["metadata"] : {};
}

export interface DocumentKey {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Which resource a document is, as far as deleting needs to know. Throws UsageError. */
export function keyOfDocument(document: FileDocument, namespace: string | undefined): DocumentKey {
  const { kind } = document.value;
  const { file } = document;
  const { name, namespace: given } = metadataOf(namespace === undefined ? document : inNamespace(document, namespace));
  if (typeof kind !== "string" || typeof name !== "string")
    throw new UsageError(`${file}: a document has no kind or no metadata.name`);
  const definition = createKindRegistry().get(kind);
  if (definition === undefined) throw new UsageError(`${file}: kind ${kind} is not known`);
  return { kind, name, namespace: typeof given === "string" ? given : definition.namespaceDefault };
}

/** Every kind, the mesh's own in front. */
export function allKinds(): readonly KindDefinition[] {
  return createKindRegistry().definitions;
}

/** The kind that a person means by singular, plural or short name, in any letter case. Throws UsageError that names the right spelling. */
export function resolveKind(spelling: string | undefined): KindDefinition {
  const registry = createKindRegistry();
  const types = registry.definitions.map(({ kind }) => kind.toLowerCase()).join(", ");
  if (spelling === undefined) throw new UsageError(`specify the type of resource to get. Types are ${types}`);
  const bare = spelling.replaceAll("-", "").toLowerCase();
  const known = registry.definitions.find(({ kind, plural, shortNames = [] }) =>
    [kind.toLowerCase(), plural.toLowerCase(), ...shortNames].includes(bare),
  );
  if (known === undefined) {
    const meant = registry.suggest(spelling);
    const hint = meant === undefined ? "" : `; did you mean ${meant.toLowerCase()}?`;
    throw new UsageError(`configuration type ${spelling} not found${hint}; the types are ${types}`);
  }
  if (bare !== spelling.toLowerCase())
    throw new UsageError(`"${spelling}" not recognized. Please use non-hyphenated resource name "${bare}"`);
  return known;
}
