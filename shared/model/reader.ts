import type { SpecContext } from "./kind.ts";
import type { FieldError, JsonObject, JsonValue } from "./resource.ts";

/** How schemas and their checks report what they find in one document. */

const SHOWN_LENGTH = 200;
/** Of one document, and of each sort. */
const MAX_ERRORS = 200;

/** A given value as an error shows it: long ones are cut. */
export function shown(value: JsonValue | undefined): JsonValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value.length <= SHOWN_LENGTH ? value : `${value.slice(0, SHOWN_LENGTH)}...`;
  if (typeof value !== "object") return value;
  const text = JSON.stringify(value);
  return text.length <= SHOWN_LENGTH ? value : `${text.slice(0, SHOWN_LENGTH)}...`;
}

/** The path of a key below `path`: `path.key`, or `path["odd.key"]`. */
export function below(path: string, key: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** What sort of value was given, in words. */
export function kindOfValue(value: JsonValue): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "boolean") return `the boolean ${value}`;
  return typeof value === "number" ? `the number ${value}` : "text";
}

export function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Collects what is found in one document: errors (it is not valid), refusals (it is valid, and asks for what does not
 * exist yet) and warnings (it is accepted, and odd).
 */
export class Reader {
  readonly context: SpecContext;
  readonly errors: FieldError[] = [];
  readonly refusals: FieldError[] = [];
  readonly warnings: FieldError[] = [];
  /** Whether what is being read is refused as a whole: then its parts need no word of their own. */
  #isRefused = false;

  constructor(context: SpecContext) {
    this.context = context;
  }

  /** Whether there are too many errors to tell more. */
  get full(): boolean {
    return this.errors.length > MAX_ERRORS;
  }

  error(path: string, value: JsonValue | undefined, reason: string, remedy: string, position?: number): undefined {
    if (this.full) return undefined;
    if (this.errors.length === MAX_ERRORS) {
      this.errors.push({ path: "", value: null, reason: `more than ${MAX_ERRORS} errors`, remedy: "mend these first" });
      return undefined;
    }
    const error = { path, value: shown(value), reason, remedy };
    this.errors.push(position === undefined ? error : { ...error, position });
    return undefined;
  }

  /** What is there for nothing yet: `not supported yet: <path>`. */
  refuse(path: string, value: JsonValue | undefined, remedy: string): undefined {
    if (this.#isRefused || this.refusals.length >= MAX_ERRORS) return undefined;
    const simple = typeof value === "object" ? null : shown(value);
    this.refusals.push({ path, value: simple, reason: `not supported yet: ${path}`, remedy });
    return undefined;
  }

  warn(path: string, value: JsonValue | undefined, reason: string, remedy: string): undefined {
    if (this.#isRefused || this.warnings.length >= MAX_ERRORS) return undefined;
    this.warnings.push({ path, value: shown(value), reason, remedy });
    return undefined;
  }

  /** Reads what is refused as a whole: only errors are told of its parts. */
  refused<T>(read: () => T): T {
    const before = this.#isRefused;
    this.#isRefused = true;
    try {
      return read();
    } finally {
      this.#isRefused = before;
    }
  }

  /** Whether no fault was found at or below `path`, so that a further check there makes sense. */
  clean(path: string): boolean {
    return !this.errors.some(({ path: at }) => at === path || at.startsWith(`${path}.`) || at.startsWith(`${path}[`));
  }
}

/** Where a check stands, and how it reports. */
export class At {
  readonly path: string;
  /** Canonical, as given. */
  readonly json: JsonValue;
  readonly reader: Reader;

  constructor(path: string, json: JsonValue, reader: Reader) {
    this.path = path;
    this.json = json;
    this.reader = reader;
  }

  get context(): SpecContext {
    return this.reader.context;
  }

  /** Whether a field of the object under check was given, valid or not. */
  has(name: string): boolean {
    return isObject(this.json) && Object.hasOwn(this.json, name);
  }

  /** What was given for a field of the object under check. */
  given(name: string): JsonValue | undefined {
    return isObject(this.json) && Object.hasOwn(this.json, name) ? this.json[name] : undefined;
  }

  error(reason: string, remedy: string, position?: number): undefined {
    return this.reader.error(this.path, this.json, reason, remedy, position);
  }

  /** Reports on a field of the object under check. */
  errorOf(name: string, reason: string, remedy: string, position?: number): undefined {
    return this.reader.error(below(this.path, name), this.given(name), reason, remedy, position);
  }

  warn(reason: string, remedy: string): undefined {
    return this.reader.warn(this.path, this.json, reason, remedy);
  }

  warnOf(name: string, reason: string, remedy: string): undefined {
    return this.reader.warn(below(this.path, name), this.given(name), reason, remedy);
  }

  /** For what is valid and has no effect yet. */
  refuse(remedy: string): undefined {
    return this.reader.refuse(this.path, this.json, remedy);
  }

  refuseOf(name: string, remedy: string): undefined {
    return this.reader.refuse(below(this.path, name), this.given(name), remedy);
  }

  clean(name?: string): boolean {
    return this.reader.clean(name === undefined ? this.path : below(this.path, name));
  }
}
