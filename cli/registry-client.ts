import { isErrorCode, MeshError, WireError } from "../shared/base/index.ts";
import type { Bus } from "../shared/bus/index.ts";
import type { Resource } from "../shared/model/index.ts";
import { joinPages, type ListedService, type PendingResource, type RegistryPage } from "../shared/wire/index.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_PAGES = 10_000;

export interface RegistryFilter {
  readonly namespace?: string;
  readonly service?: string;
}

/** What a Pilot has heard from proxies, all pages. Throws the MeshError that Pilot answered. */
export async function listRegistry(bus: Bus, filter: RegistryFilter = {}): Promise<readonly ListedService[]> {
  const pages = await allPages(bus, bus.subjects.registryList(), filter);
  return joinPages(pages as readonly RegistryPage[]);
}

/** What is accepted and not in force yet, with the reasons. */
export async function listPending(bus: Bus): Promise<readonly PendingResource[]> {
  const pages = await allPages(bus, bus.subjects.config("pending"), {});
  return pages.flatMap(({ items }) => items as readonly PendingResource[]);
}

/** All configuration, of every kind and namespace. */
export async function listResources(bus: Bus): Promise<readonly Resource[]> {
  const pages = await allPages(bus, bus.subjects.config("list"), {});
  return pages.flatMap(({ items }) => items as readonly Resource[]);
}

interface Page {
  readonly items: readonly unknown[];
  readonly continue?: string;
}

async function allPages(bus: Bus, subject: string, query: object): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let next: string | undefined;
  do {
    const body = next === undefined ? query : { ...query, continue: next };
    const page = pageOf(subject, await bus.requestJson(subject, body, { timeoutMs: REQUEST_TIMEOUT_MS }));
    pages.push(page);
    next = page.continue;
  } while (next !== undefined && next !== "" && pages.length < MAX_PAGES);
  return pages;
}

function pageOf(subject: string, answer: unknown): Page {
  if (typeof answer !== "object" || answer === null) throw new WireError(`${subject}: the answer is not an object`);
  const { error, items, continue: next } = answer as { error?: unknown; items?: unknown; continue?: unknown };
  if (typeof error === "object" && error !== null) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    throw new MeshError(isErrorCode(String(code)) ? (code as MeshError["code"]) : "ERR_MESH_INTERNAL", String(message));
  }
  if (!Array.isArray(items)) throw new WireError(`${subject}: the answer has no items`);
  return typeof next === "string" ? { items, continue: next } : { items };
}
