import { NotFoundError, UnavailableError, WireError } from "../shared/base/index.ts";
import { type Bus, rebuiltError } from "../shared/bus/index.ts";
import type { Resource } from "../shared/model/index.ts";
import type { ConfigVerb } from "../shared/wire/index.ts";
import type {
  ApplyOptions,
  ApplyResult,
  Documents,
  ResourceName,
  ResourceQuery,
  ResourceVersion,
  SubmitReceipt,
  Tombstone,
} from "./resources.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_PAGES = 10_000;
const HEADERS = { dryRun: "Mesh-Dry-Run", create: "Mesh-Create", expectRevision: "Mesh-Expect-Revision" } as const;

/** The configuration requests of Pilot. Every method throws the MeshError that Pilot answered. */
export class ConfigClient {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Submits one document or many; each is judged alone, and a refused one is a result, not an error. */
  async apply(documents: Documents, options: ApplyOptions = {}): Promise<readonly ApplyResult[]> {
    const { results } = await this.#request("apply", textOf(documents), headersOf(options));
    if (!Array.isArray(results)) throw new WireError("config.apply: the answer has no results");
    return results as ApplyResult[];
  }

  /**
   * Stores the documents on the bus, for the next Pilot to judge: also works while none is there. The outcome comes as a
   * change, or as a rejection. Throws UnavailableError when the stream is full or missing.
   */
  async submit(documents: Documents, options: ApplyOptions = {}): Promise<SubmitReceipt> {
    const { stream, seq, error } = await this.#exchange("submit", textOf(documents), headersOf(options));
    if (error !== undefined) {
      const { description } = error as { description?: unknown };
      throw new UnavailableError(`config.submit: not stored: ${String(description ?? "the stream refuses it")}`);
    }
    if (typeof stream !== "string" || typeof seq !== "number")
      throw new WireError("config.submit: the answer is no acknowledgement");
    return { stream, sequence: seq };
  }

  /** Throws NotFoundError. `revision`: as it was then. */
  async get(query: ResourceName & { readonly revision?: number }): Promise<Resource> {
    const [resource] = itemsOf<Resource>(await this.#request("get", query));
    if (resource === undefined) throw new NotFoundError(`${query.kind} ${query.namespace}/${query.name} not found`);
    return resource;
  }

  /** In the order of kind, namespace and name. */
  async list(query: ResourceQuery = {}): Promise<readonly Resource[]> {
    const found: Resource[] = [];
    let next: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const answer = await this.#request("list", next === undefined ? query : { ...query, continue: next });
      found.push(...itemsOf<Resource>(answer));
      if (typeof answer["continue"] !== "string" || answer["continue"] === "") break;
      next = answer["continue"];
    }
    return found;
  }

  /** The last revisions, newest first, deletions among them. Throws NotFoundError. */
  async history(query: ResourceName): Promise<readonly ResourceVersion[]> {
    return itemsOf<ResourceVersion>(await this.#request("history", query));
  }

  /** Makes an earlier revision (default: the one before the newest) the newest again, as a new one, which is returned. */
  async rollback(query: ResourceName & { readonly revision?: number }): Promise<Resource> {
    const [resource] = itemsOf<Resource>(await this.#request("rollback", query));
    if (resource === undefined) throw new WireError("config.rollback: the answer has no item");
    return resource;
  }

  /**
   * Returns the tombstone, whose resourceVersion is the revision of the deletion. Throws NotFoundError, or ConflictError
   * when others need it or it is not at `expectRevision`.
   */
  async delete(query: ResourceName, options: { readonly expectRevision?: number } = {}): Promise<Tombstone> {
    const [tombstone] = itemsOf<Tombstone>(await this.#request("delete", query, headersOf(options)));
    if (tombstone === undefined) throw new WireError("config.delete: the answer has no item");
    return tombstone;
  }

  async #request(
    verb: ConfigVerb,
    body: string | object,
    headers: Record<string, string> = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const answer = await this.#exchange(verb, body, headers);
    const { error } = answer as { error?: { code?: unknown; message?: unknown } };
    if (error !== undefined) throw rebuiltError(String(error.code), String(error.message));
    return answer;
  }

  async #exchange(
    verb: ConfigVerb,
    body: string | object,
    headers: Record<string, string>,
  ): Promise<Readonly<Record<string, unknown>>> {
    const answer = await this.#bus.requestJson(this.#bus.subjects.config(verb), body, {
      timeoutMs: REQUEST_TIMEOUT_MS,
      headers,
    });
    if (typeof answer !== "object" || answer === null)
      throw new WireError(`config.${verb}: the answer is not an object`);
    return answer as Record<string, unknown>;
  }
}

function textOf(documents: Documents): string {
  if (typeof documents === "string") return documents;
  return Array.isArray(documents)
    ? documents.map((document) => `---\n${JSON.stringify(document)}\n`).join("")
    : JSON.stringify(documents);
}

function headersOf({ dryRun, create, expectRevision }: ApplyOptions): Record<string, string> {
  return {
    ...(dryRun === true && { [HEADERS.dryRun]: "true" }),
    ...(create === true && { [HEADERS.create]: "true" }),
    ...(expectRevision !== undefined && { [HEADERS.expectRevision]: String(expectRevision) }),
  };
}

function itemsOf<T>(answer: Readonly<Record<string, unknown>>): readonly T[] {
  const { items } = answer;
  if (!Array.isArray(items)) throw new WireError("the answer has no items");
  return items as T[];
}
