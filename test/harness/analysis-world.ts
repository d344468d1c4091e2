import {
  type AnalysedResource,
  EXAMPLE_NOW_MS,
  type Example,
  parseRegistered,
  type World,
  type WrittenWorld,
  worldOfDocuments,
} from "../../shared/analysis/index.ts";
import { readDocuments } from "../../shared/model/documents.ts";
import { createKindRegistry, type JsonObject } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";

const KINDS = createKindRegistry(POLICY_KINDS);

function written(yaml: string): WrittenWorld {
  const documents = readDocuments(yaml).map((content, place) =>
    "errors" in content ? { place, errors: content.errors } : { place, value: content.value as JsonObject },
  );
  return worldOfDocuments(documents, KINDS);
}

/** YAML as an analysis gets it. */
export function analysedResources(yaml: string): readonly AnalysedResource[] {
  return written(yaml).resources;
}

export function worldOf(
  yaml: string,
  more: Partial<World> & { readonly registered?: readonly string[] | undefined } = {},
): World {
  const { registered, ...rest } = more;
  const world = written(yaml);
  return {
    ...world,
    services: registered === undefined ? world.services : parseRegistered(registered),
    live: undefined,
    nowMs: EXAMPLE_NOW_MS,
    ...rest,
  };
}

export function exampleWorld(example: Example): World {
  return worldOf(example.yaml ?? "", { registered: example.registered, live: example.live });
}

/** The example with its remedy carried out. Throws when a text that is to be replaced is not there exactly once. */
export function repairedWorld(example: Example): World {
  let yaml = example.yaml ?? "";
  const { replace = [], registered, live } = example.repaired;
  for (const [from, to] of replace) {
    if (yaml.split(from).length !== 2) throw new Error(`not there once: ${from}`);
    yaml = yaml.replace(from, () => to);
  }
  return worldOf(yaml, { registered: registered ?? example.registered, live: live ?? example.live });
}
