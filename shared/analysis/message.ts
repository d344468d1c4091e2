import { formatKey, type ResourceKey } from "../model/index.ts";
import { type CodeDefinition, codeLink, type Level } from "./code.ts";

/** What an analysis says of one object. */
export interface Message {
  readonly code: string;
  readonly name: string;
  readonly level: Level;
  /** A resource; or a Service, Proxy or component of a running mesh. */
  readonly object: ResourceKey;
  /** Such as `spec.http[0].route[0].destination.host`; "" for the object as a whole. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
  /** Where the code is explained. */
  readonly documentation: string;
  /** The file that the object stands in. */
  readonly origin?: string;
}

/** An endless list helps nobody: of one code about one object no more than this are kept. */
const MAX_ALIKE = 20;

/** Collects what the checks find, bounded. */
export class Report {
  readonly messages: Message[] = [];
  readonly #origins: ReadonlyMap<string, string>;
  readonly #counts = new Map<string, number>();

  /** `origins`: `<kind>/<namespace>/<name>` -> file. */
  constructor(origins: ReadonlyMap<string, string> = new Map()) {
    this.#origins = origins;
  }

  /** `remedy`: the code's own when absent. */
  add(definition: CodeDefinition, object: ResourceKey, path: string, message: string, remedy?: string): void {
    const id = `${definition.code} ${formatKey(object)}`;
    const count = (this.#counts.get(id) ?? 0) + 1;
    this.#counts.set(id, count);
    if (count > MAX_ALIKE) return;
    const { code, name, level } = definition;
    const { kind, namespace } = object;
    const origin = this.#origins.get(formatKey(object));
    this.messages.push({
      code,
      name,
      level,
      object: { kind, namespace, name: object.name },
      path,
      message: count < MAX_ALIKE ? message : `${message} (more of the same are not shown)`,
      remedy: remedy ?? definition.remedy,
      documentation: codeLink(definition),
      ...(origin !== undefined && { origin }),
    });
  }
}
