import { isErrorCode, MeshError, NotFoundError, WireError } from "../shared/base/index.ts";
import type { Bus } from "../shared/bus/index.ts";
import type { FieldError, Resource } from "../shared/model/index.ts";
import type { ConfigVerb } from "../shared/wire/index.ts";

/** What Pilot says of one submitted document. */
export interface ApplyResult {
  /** Position in the submission, from 0. */
  readonly document: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: "created" | "configured" | "unchanged" | "rejected" | "pending";
  readonly revision: number;
  readonly errors: readonly FieldError[];
  /** What is accepted but worth knowing, such as why a rule is pending. */
  readonly warnings: readonly FieldError[];
}

export interface ApplyOptions {
  readonly dryRun?: boolean;
}

export interface ResourceQuery {
  readonly kind: string;
  /** Every namespace when absent. */
  readonly namespace?: string;
  readonly name?: string;
}

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_PAGES = 10_000;

/** The configuration requests of Pilot. Every method throws the MeshError that Pilot answered. */
export class ConfigClient {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Submits YAML or JSON, one document or many; each is judged alone. */
  async apply(documents: string, options: ApplyOptions = {}): Promise<readonly ApplyResult[]> {
    const headers: Record<string, string> = {};
    if (options.dryRun === true) headers["Mesh-Dry-Run"] = "true";
    const { results } = await this.#request("apply", documents, headers);
    if (!Array.isArray(results)) throw new WireError("config.apply: the answer has no results");
    return results as ApplyResult[];
  }

  async get(query: Required<ResourceQuery>): Promise<Resource> {
    const [resource] = itemsOf(await this.#request("get", query));
    if (resource === undefined) throw new NotFoundError(`${query.kind} ${query.namespace}/${query.name} not found`);
    return resource;
  }

  async list(query: ResourceQuery): Promise<readonly Resource[]> {
    const found: Resource[] = [];
    let next: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const answer = await this.#request("list", next === undefined ? query : { ...query, continue: next });
      found.push(...itemsOf(answer));
      if (typeof answer["continue"] !== "string" || answer["continue"] === "") break;
      next = answer["continue"];
    }
    return found;
  }

  /** Returns the tombstone, whose resourceVersion is the revision of the deletion. */
  async delete(query: Required<ResourceQuery>): Promise<Resource> {
    const [tombstone] = itemsOf(await this.#request("delete", query));
    if (tombstone === undefined) throw new WireError("config.delete: the answer has no item");
    return tombstone;
  }

  async #request(
    verb: ConfigVerb,
    body: string | object,
    headers: Record<string, string> = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const answer = await this.#bus.requestJson(this.#bus.subjects.config(verb), body, {
      timeoutMs: REQUEST_TIMEOUT_MS,
      headers,
    });
    if (typeof answer !== "object" || answer === null)
      throw new WireError(`config.${verb}: the answer is not an object`);
    const { error } = answer as { error?: { code?: unknown; message?: unknown } };
    if (error === undefined) return answer as Record<string, unknown>;
    const code = String(error.code);
    throw new MeshError(isErrorCode(code) ? code : "ERR_MESH_INTERNAL", String(error.message));
  }
}

function itemsOf(answer: Readonly<Record<string, unknown>>): readonly Resource[] {
  const { items } = answer;
  if (!Array.isArray(items)) throw new WireError("the answer has no items");
  return items as Resource[];
}
