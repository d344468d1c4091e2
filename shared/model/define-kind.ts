import type { KindClass, KindDefinition } from "./kind.ts";
import { isObject, Reader } from "./reader.ts";
import { CONFIG_API_VERSIONS } from "./resource.ts";
import type { Schema } from "./schema.ts";

/** A kind whose whole spec is described by a schema. What the schema refuses is judged in full first. */
export function defineKind<T>(definition: {
  readonly kind: string;
  readonly plural: string;
  readonly class: KindClass;
  readonly doc: string;
  readonly namespaceDefault?: string;
  /** Those of config.istio.io by default. */
  readonly apiVersions?: readonly string[];
  readonly shortNames?: readonly string[];
  readonly schema: Schema<T>;
}): KindDefinition<T> {
  const { schema, ...rest } = definition;
  return {
    namespaceDefault: "default",
    apiVersions: CONFIG_API_VERSIONS,
    ...rest,
    parseSpec(spec, path, context) {
      const reader = new Reader(context);
      const read = schema.read(spec, path, reader);
      const json = read === undefined || !isObject(read.json) ? spec : read.json;
      const { warnings } = reader;
      const errors = [...reader.errors, ...reader.refusals];
      return read === undefined || reader.errors.length > 0
        ? { spec: json, errors, warnings }
        : { spec: json, parsed: read.value, errors, warnings };
    },
    describe: () => schema.type,
  };
}
