import { parseResource } from "../model/documents.ts";
import {
  DEFAULT_NAMESPACE,
  type FieldError,
  type JsonObject,
  type JsonValue,
  type KindRegistry,
} from "../model/index.ts";
import { isPlatformDocument, servicesOfDocuments } from "./platform.ts";
import type { AnalysedResource, World } from "./world.ts";

/** A document that was written down somewhere, as far as it can be read. */
export interface WrittenDocument {
  /** Place in its file, from 0. */
  readonly place: number;
  /** The file; absent: none. */
  readonly origin?: string;
  readonly value?: JsonObject;
  /** Why it is not readable. */
  readonly errors?: readonly FieldError[];
}

/** What documents say of a mesh: their resources, and the services of Kubernetes objects among them. */
export type WrittenWorld = Pick<World, "resources" | "services" | "namespaces">;

/** `namespace`: of documents that name none, whatever the default of their kind. */
export function worldOfDocuments(
  documents: readonly WrittenDocument[],
  kinds: KindRegistry,
  namespace?: string,
): WrittenWorld {
  const resources: AnalysedResource[] = [];
  const platform: JsonObject[] = [];
  for (const { place, origin, value, errors = [] } of documents) {
    const whole = `${place + 1}${origin === undefined ? "" : ` of ${origin}`}`;
    const from = origin === undefined ? {} : { origin };
    if (value === undefined) {
      resources.push({ key: { kind: "Document", namespace: "", name: whole }, parsed: undefined, errors, ...from });
      continue;
    }
    if (isPlatformDocument(value)) {
      platform.push(value);
      continue;
    }
    const judged = parseResource(placed(value, namespace), kinds);
    const key = { kind: judged.kind || "Document", namespace: judged.namespace, name: judged.name || whole };
    resources.push(
      judged.ok
        ? { key, parsed: judged.parsed, errors: [], ...from }
        : { key, parsed: undefined, errors: judged.errors, ...from },
    );
  }
  return { resources, ...servicesOfDocuments(platform, namespace ?? DEFAULT_NAMESPACE) };
}

function placed(value: JsonObject, namespace: string | undefined): JsonObject {
  const { metadata } = value;
  if (namespace === undefined || !isObject(metadata) || Object.hasOwn(metadata, "namespace")) return value;
  return { ...value, metadata: { ...metadata, namespace } };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
