import { readdirSync, readFileSync } from "node:fs";
import { type AcceptedDocument, parseSubmission } from "../../shared/model/documents.ts";
import { createKindRegistry, type JsonObject, type KindDefinition } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";

/** A valid resource; those of a kind together give every field that has an effect. */
export interface Specimen {
  readonly definition: KindDefinition;
  readonly namespace: string;
  readonly name: string;
  readonly spec: JsonObject;
}

export const KINDS = createKindRegistry(POLICY_KINDS);

const FOLDER = new URL("../../../test/fixtures/kinds/", import.meta.url);

/** Throws when one is not valid. */
export function readSpecimens(): readonly Specimen[] {
  return readdirSync(FOLDER)
    .sort()
    .flatMap((file) => parseSubmission(readFileSync(new URL(file, FOLDER), "utf8"), KINDS))
    .map((document): Specimen => {
      if (!document.ok)
        throw new Error(`${document.kind} ${document.name} is not valid: ${JSON.stringify(document.errors)}`);
      return specimenOf(document);
    });
}

function specimenOf({ parsed: { resource, definition } }: AcceptedDocument): Specimen {
  const { namespace, name } = resource.metadata;
  return { definition, namespace, name, spec: resource.spec };
}
