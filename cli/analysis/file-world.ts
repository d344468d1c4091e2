import {
  type AnalysedResource,
  isPlatformDocument,
  servicesOfDocuments,
  type World,
} from "../../shared/analysis/index.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { createKindRegistry, DEFAULT_NAMESPACE, type JsonObject } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import { type DocumentFile, type FileDocument, parseDocuments, withMetadata } from "../documents.ts";

/** What files say of a mesh: their resources, and the services of Kubernetes objects among them. */
export type FileWorld = Pick<World, "resources" | "services" | "namespaces">;

/** `namespace`: of documents that name none. */
export function readFileWorld(files: readonly DocumentFile[], namespace: string | undefined): FileWorld {
  const kinds = createKindRegistry(POLICY_KINDS);
  const resources: AnalysedResource[] = [];
  const platform: JsonObject[] = [];
  for (const document of files.flatMap((file) => parseDocuments(file))) {
    const origin = document.file === "-" ? "standard input" : document.file;
    if ("errors" in document) {
      const key = { kind: "Document", namespace: "", name: `${document.place + 1} of ${origin}` };
      resources.push({ key, parsed: undefined, errors: document.errors, origin });
      continue;
    }
    if (isPlatformDocument(document.value)) {
      platform.push(document.value);
      continue;
    }
    const judged = parseResource(placed(document, namespace).value, kinds);
    const { kind, name } = judged;
    const key = {
      kind: kind || "Document",
      namespace: judged.namespace,
      name: name || `${document.place + 1} of ${origin}`,
    };
    if (judged.ok) resources.push({ key, parsed: judged.parsed, errors: [], origin });
    else resources.push({ key, parsed: undefined, errors: judged.errors, origin });
  }
  return { resources, ...servicesOfDocuments(platform, namespace ?? DEFAULT_NAMESPACE) };
}

function placed(document: FileDocument, namespace: string | undefined): FileDocument {
  const { metadata } = document.value;
  if (namespace === undefined || typeof metadata !== "object" || metadata === null || "namespace" in metadata)
    return document;
  return withMetadata(document, { namespace });
}
