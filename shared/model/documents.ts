import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import { errorMessage } from "../base/index.ts";
import { foreignKind, isOfGatewayApi } from "./foreign-kinds.ts";
import { isFqdn } from "./hosts.ts";
import type { ParsedResource } from "./kind.ts";
import { below, Reader, shown } from "./reader.ts";
import type { KindRegistry } from "./registry.ts";
import type { FieldError, JsonObject, JsonValue, Resource } from "./resource.ts";
import { dnsLabel, dnsName, string } from "./scalars.ts";
import { checked, field, map, object, type Schema } from "./schema.ts";

/**
 * A submission is text that somebody wrote: YAML or JSON, many documents, lists of resources. Each document is judged
 * alone, so one with a syntax error must not take its neighbours along: the text is cut at `---` lines first (no YAML
 * value can contain one at the start of a line), then each piece is parsed. The text comes from outside: its size, depth,
 * number of documents and alias expansions are bounded, and duplicate keys are errors since the parser would keep one
 * of them silently.
 */

/** A larger submission is refused as a whole. */
export const MAX_SUBMISSION_BYTES = 1024 * 1024;
const MAX_DOCUMENTS = 1000;
const MAX_DEPTH = 64;
const MAX_OPEN_BRACKETS = 1000;
const MAX_ALIASES = 100;
const MAX_NODES = 100_000;
/** The parser spends up to 15 us on each: what one document may cost is less than a leader's lease. */
const MAX_PARTS = 50_000;
const PARTS = new Uint8Array(0x1_0000);
for (const char of "\r\n,[]{}!&*?") PARTS[char.charCodeAt(0)] = 1;

interface DocumentName {
  /** Place in the submission, from 0; the items of a list count one by one. */
  readonly document: number;
  /** "" where it could not be read; so with the next two. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface AcceptedDocument extends DocumentName {
  readonly ok: true;
  readonly parsed: ParsedResource;
}

export interface RejectedDocument extends DocumentName {
  readonly ok: false;
  /** At least one. */
  readonly errors: readonly FieldError[];
  readonly warnings?: readonly FieldError[];
}

export type SubmittedDocument = AcceptedDocument | RejectedDocument;

/** Reads a whole submission, every document on its own; an empty one has no documents. Never throws. */
export function parseSubmission(text: string, registry: KindRegistry): readonly SubmittedDocument[] {
  return [...judgedDocuments(text, registry)];
}

/** The same, document by document: a process that has other duties may attend to them in between. */
export function* judgedDocuments(text: string, registry: KindRegistry): Generator<SubmittedDocument> {
  let document = 0;
  for (const content of documentsOf(text)) {
    yield "errors" in content
      ? rejected(document, undefined, content.errors)
      : parseResource(content.value, registry, document);
    document++;
  }
}

/** A document of a submission as plain JSON, or why it is not readable. */
export type DocumentContent = { readonly value: JsonValue } | { readonly errors: readonly FieldError[] };

/** The documents of a submission in order, items of lists one by one, not judged yet. Never throws. */
export function readDocuments(text: string): readonly DocumentContent[] {
  return [...documentsOf(text)];
}

function* documentsOf(text: string): Generator<DocumentContent> {
  if (Buffer.byteLength(text) > MAX_SUBMISSION_BYTES) {
    yield unreadable(`longer than ${MAX_SUBMISSION_BYTES} bytes`, "send the documents in several submissions");
    return;
  }
  let count = 0;
  for (const piece of pieces(text)) {
    for (const content of contentsOf(piece)) {
      if (count >= MAX_DOCUMENTS) {
        yield unreadable(`more than ${MAX_DOCUMENTS} documents`, "send the rest in another submission");
        return;
      }
      count++;
      yield content;
    }
  }
}

function unreadable(reason: string, remedy: string): DocumentContent {
  return { errors: [{ path: "", value: null, reason, remedy }] };
}

interface Piece {
  readonly text: string;
  /** Lines of the submission before it. */
  readonly line: number;
}

function pieces(text: string): readonly Piece[] {
  const lines = text.replace(/^\ufeff/, "").split(/(?<=\n)/);
  const found: Piece[] = [];
  let start = 0;
  for (let at = 1; at <= lines.length; at++) {
    if (at < lines.length && !/^---(?:\s|$)/.test(lines[at] ?? "")) continue;
    const piece = lines.slice(start, at);
    if (piece.some((line) => !/^\s*(?:#.*|%.*|---\s*)?$/s.test(line.trimEnd())))
      found.push({ text: piece.join(""), line: start });
    start = at;
  }
  return found;
}

/**
 * Spares the parser a text made to exhaust it: more brackets left open than any document has, or more lines, commas,
 * brackets, tags, anchors and aliases than the values that are read. Quoted ones count too.
 */
function exhausting(text: string): DocumentContent | undefined {
  let open = 0;
  let parts = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (PARTS[char] !== 1) continue;
    parts++;
    if (char === 0x5b || char === 0x7b) open++;
    else if ((char === 0x5d || char === 0x7d) && open > 0) open--;
    if (open > MAX_OPEN_BRACKETS) return unreadable(`nested deeper than ${MAX_DEPTH}`, "flatten the document");
    if (parts > MAX_PARTS)
      return unreadable(`more than ${MAX_PARTS} lines, commas and brackets`, "send smaller documents");
  }
  return undefined;
}

function contentsOf(piece: Piece): readonly DocumentContent[] {
  const refusal = exhausting(piece.text);
  if (refusal !== undefined) return [refusal];
  const counter = new LineCounter();
  try {
    const documents = parseAllDocuments(piece.text, { uniqueKeys: false, prettyErrors: false, lineCounter: counter });
    if (!Array.isArray(documents)) return [];
    return (documents as Document.Parsed[]).flatMap((document) => contentOf(document, piece, counter));
  } catch (error) {
    return [unreadable(errorMessage(error), "mend the document")];
  }
}

function contentOf(document: Document.Parsed, piece: Piece, counter: LineCounter): readonly DocumentContent[] {
  const [fault] = document.errors;
  if (fault !== undefined) {
    const { line, col } = counter.linePos(fault.pos[0]);
    const where = `line ${piece.line + line}, column ${col}`;
    const reason = `not readable as YAML or JSON at ${where}: ${fault.message}`;
    return [unreadable(reason, "mend the syntax; the other documents are judged without it")];
  }
  const converter = new Converter(document);
  const value = converter.convert(document.contents, "", 0);
  if (converter.errors.length > 0) return [{ errors: converter.errors }];
  return value === null ? [] : itemsOf(value).map((item) => ({ value: item }));
}

/** The resources in a document: itself, the items of a `List`, or those of an array. */
function itemsOf(value: JsonValue): readonly JsonValue[] {
  if (Array.isArray(value)) return value;
  if (typeof value !== "object" || value === null) return [value];
  const { kind, items } = value as JsonObject;
  return typeof kind === "string" && kind.endsWith("List") && Array.isArray(items) ? items : [value];
}

/** Makes plain JSON of a parsed document, and finds what JSON cannot say. */
class Converter {
  readonly errors: FieldError[] = [];
  readonly #document: Document.Parsed;
  #nodes = 0;
  #aliases = 0;

  constructor(document: Document.Parsed) {
    this.#document = document;
  }

  convert(node: unknown, path: string, depth: number): JsonValue {
    if (this.#nodes > MAX_NODES) return null;
    if (++this.#nodes > MAX_NODES)
      return this.#error(path, null, `more than ${MAX_NODES} values`, "send smaller documents");
    if (depth > MAX_DEPTH) return this.#error(path, null, `nested deeper than ${MAX_DEPTH}`, "flatten the document");
    if (isAlias(node)) {
      if (++this.#aliases > MAX_ALIASES)
        return this.#error(path, null, `more than ${MAX_ALIASES} aliases`, "write the values out");
      const target: Node | undefined = node.resolve(this.#document);
      if (target === undefined)
        return this.#error(path, node.source, `no anchor &${node.source} before this alias`, "define it first");
      return this.convert(target, path, depth + 1);
    }
    if (isMap(node)) return this.#object(node.items, path, depth);
    if (isSeq(node)) return node.items.map((item, index) => this.convert(item, `${path}[${index}]`, depth + 1));
    if (isScalar(node)) return this.#scalar(node.value, node.tag, path);
    return null;
  }

  #object(
    items: readonly { readonly key: unknown; readonly value: unknown }[],
    path: string,
    depth: number,
  ): JsonValue {
    const result: Record<string, JsonValue> = {};
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.source ?? key.value) : undefined;
      if (name === undefined || name === "__proto__") {
        this.#error(path, null, "a key must be plain text", "use a name as key");
      } else if (Object.hasOwn(result, name)) {
        this.#error(below(path, name), name, "given twice", "keep one of them");
      } else {
        result[name] = this.convert(value, below(path, name), depth + 1);
      }
    }
    return result;
  }

  #scalar(value: unknown, tag: string | undefined, path: string): JsonValue {
    if (tag !== undefined && !/^(?:!|tag:yaml\.org,2002:(?:str|int|float|bool|null))$/.test(tag)) {
      return this.#error(path, tag, `the tag ${tag} has no meaning here`, "remove it, and put text in quotes");
    }
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    return this.#error(path, String(value), "neither text, number, boolean, list nor object", "put text in quotes");
  }

  #error(path: string, value: JsonValue, reason: string, remedy: string): null {
    if (this.errors.length < 100) this.errors.push({ path, value: shown(value), reason, remedy });
    return null;
  }
}

/** What Kubernetes adds to what it stores: a document taken from there is as good as the one that was applied. */
const managed = (doc: string) => field(anything(), `${doc} Kept by Kubernetes; not stored.`);

const metadataFields = object({
  name: field(dnsName(), "The name of the resource.", { required: true }),
  namespace: field(dnsLabel(), "The namespace it belongs to."),
  resourceVersion: field(
    string(),
    "The revision it expects to replace; beside a uid it is one of Kubernetes and not looked at.",
  ),
  labels: field(map(string()), "Labels of the resource."),
  annotations: field(map(string()), "Notes of the resource."),
  creationTimestamp: field(anything(), "When it was first accepted; set by Pilot."),
  updateTimestamp: field(anything(), "When this revision was accepted; set by Pilot."),
  generateName: managed("What its name was made from."),
  deletionTimestamp: managed("When it was asked to go."),
  deletionGracePeriodSeconds: managed("How long it may take to go."),
  generation: managed("Number of the spec's change."),
  uid: managed("Unique id."),
  selfLink: managed("Where it is served."),
  managedFields: managed("Who set which field."),
  ownerReferences: managed("What it belongs to."),
  finalizers: managed("What is to happen before it is deleted."),
});

/** Only Kubernetes gives a uid: what it counts beside one are its own changes, not those of the mesh. */
const metadata = checked(metadataFields, ({ resourceVersion: given, ...rest }, at) => {
  if (given === undefined || at.has("uid")) return { ...rest, resourceVersion: undefined };
  if (/^(?:0|[1-9]\d{0,9})$/.test(given) && Number(given) < 2 ** 32) return { ...rest, resourceVersion: given };
  const reason = `${JSON.stringify(given)} is not a revision`;
  at.errorOf("resourceVersion", reason, "leave it out, or give the revision that get shows");
  return { ...rest, resourceVersion: undefined };
});

const envelope = object({
  apiVersion: field(string(), "Group and version of the kind, such as networking.istio.io/v1.", { required: true }),
  kind: field(string(), "What the resource is, such as RouteRule.", { required: true }),
  metadata: field(metadata, "An object with the name of the resource.", { required: true }),
  // Read by the kind, or as it is when the kind is unknown.
  spec: field(anything(), "What the resource says."),
  status: managed("How it fares."),
});

function anything(): Schema<JsonValue> {
  return { type: { type: "any" }, read: (value: JsonValue) => ({ json: value, value }) };
}

/** Judges one resource, given as JSON; `document` is its place in the submission. Never throws. */
export function parseResource(value: JsonValue, registry: KindRegistry, document = 0): SubmittedDocument {
  const reader = new Reader({ namespace: "", name: "" });
  const read = envelope.read(value, "", reader);
  if (read === undefined) return rejected(document, value, reader.errors);
  const { apiVersion, kind, metadata: meta, spec = null } = read.value;
  const definition = kind === undefined ? undefined : registry.get(kind);
  if (kind !== undefined && (definition === undefined || isOfGatewayApi(apiVersion))) {
    const foreign = foreignKind(apiVersion, kind, meta?.name ?? "");
    if (foreign !== undefined) return rejected(document, value, [{ path: "kind", value: shown(kind), ...foreign }]);
  }
  if (kind !== undefined && definition === undefined) {
    const meant = registry.suggest(kind);
    const known = registry.definitions.map((each) => each.kind).join(", ");
    reader.error(
      "kind",
      kind,
      `unknown kind ${JSON.stringify(shown(kind))}`,
      meant === undefined ? `known kinds: ${known}` : `did you mean ${meant}?`,
    );
  }
  if (apiVersion !== undefined && definition?.apiVersions.includes(apiVersion) === false) {
    reader.error(
      "apiVersion",
      apiVersion,
      `${definition.kind} has no API version ${JSON.stringify(shown(apiVersion))}`,
      `write ${definition.apiVersions.join(" or ")}`,
    );
  }
  const object = typeof spec === "object" && !Array.isArray(spec) ? ((spec ?? {}) as JsonObject) : undefined;
  if (object === undefined) reader.error("spec", spec, "must be an object", "give the fields of the spec");
  const namespace = meta?.namespace ?? definition?.namespaceDefault ?? "default";
  const name = meta?.name ?? "";
  // References to these have the form name.kind.namespace.
  if (definition !== undefined && definition.class !== "traffic" && name.includes(".") && isFqdn(name))
    reader.error("metadata.name", name, `${JSON.stringify(name)} is not a DNS label`, "use dashes in place of dots");
  const result = object === undefined ? undefined : definition?.parseSpec(object, "spec", { namespace, name });
  const errors = [...reader.errors, ...(result?.errors ?? [])];
  if (errors.length > 0 || definition === undefined || result === undefined || apiVersion === undefined) {
    return rejected(document, value, errors, result?.warnings);
  }
  const resource: Resource = {
    apiVersion,
    kind: definition.kind,
    metadata: {
      name,
      namespace,
      ...(meta?.resourceVersion === undefined ? {} : { resourceVersion: meta.resourceVersion }),
      ...(meta?.labels === undefined ? {} : { labels: meta.labels }),
      ...(meta?.annotations === undefined ? {} : { annotations: meta.annotations }),
    },
    spec: result.spec,
  };
  const warnings = result.warnings ?? [];
  const parsed: ParsedResource = { resource, definition, parsed: result.parsed ?? result.spec, warnings };
  return { ok: true, document, kind: definition.kind, namespace, name, parsed };
}

/** Best effort at the name: whatever of it is text. */
function rejected(
  document: number,
  value: JsonValue | undefined,
  errors: readonly FieldError[],
  warnings: readonly FieldError[] = [],
): RejectedDocument {
  const meta = textOf(value, "metadata");
  const text = (found: JsonValue | undefined): string => (typeof found === "string" ? found.slice(0, 253) : "");
  const kind = text(textOf(value, "kind"));
  const name = text(textOf(meta, "name"));
  const namespace = text(textOf(meta, "namespace")) || (kind === "" && name === "" ? "" : "default");
  return { ok: false, document, kind, namespace, name, errors, warnings };
}

function textOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
    return undefined;
  return (value as JsonObject)[name];
}
