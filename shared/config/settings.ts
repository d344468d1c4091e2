import { ConfigError, errorMessage } from "../base/index.ts";

/**
 * One setting of a process: an environment variable and the flag of the same name (`NATS_URL`, `--nats-url`; the flag
 * wins). The tables of settings are what docs/config.md is tested against.
 */
export interface Setting<T> {
  readonly env: string;
  readonly flag: string;
  /** What kind of text it takes, for the documentation. */
  readonly type: string;
  readonly doc: string;
  /** The default as written, "required" or "none". */
  readonly defaultText: string;
  /** Throws an Error whose message completes "<name> ..." */
  parse(raw: string | undefined): T;
}

export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;
export type Values<T extends SettingsTable> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never };

interface Options<T> {
  readonly env: string;
  readonly doc: string;
  readonly default?: T;
}

function flagOf(env: string): string {
  return `--${env.toLowerCase().replaceAll("_", "-")}`;
}

function setting<T>(
  type: string,
  options: Options<T>,
  read: (raw: string) => T,
  show: (value: T) => string,
): Setting<T> {
  const { env, doc } = options;
  return {
    env,
    flag: flagOf(env),
    type,
    doc,
    defaultText: options.default === undefined ? "required" : show(options.default) || "none",
    parse(raw) {
      if (raw !== undefined && raw !== "") return read(raw);
      if (options.default === undefined) throw new Error("is required");
      return options.default;
    },
  };
}

export function text(options: Options<string>): Setting<string> {
  return setting("text", options, (raw) => raw, String);
}

export function oneOf<const V extends string>(values: readonly V[], options: Options<V>): Setting<V> {
  return setting(
    values.join(" | "),
    options,
    (raw) => {
      const value = values.find((candidate) => candidate === raw);
      if (value === undefined) throw new Error(`is ${JSON.stringify(raw)}; use one of ${values.join(", ")}`);
      return value;
    },
    String,
  );
}

export function integer(options: Options<number> & { readonly min?: number; readonly max?: number }): Setting<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  return setting(
    "integer",
    options,
    (raw) => {
      const value = Number(raw);
      if (!/^-?\d+$/.test(raw) || value < min || value > max) {
        throw new Error(`is ${JSON.stringify(raw)}; use a whole number from ${min} to ${max}`);
      }
      return value;
    },
    String,
  );
}

/** A TCP port; 0 lets the system choose a free one. */
export function port(options: Options<number>): Setting<number> {
  return { ...integer({ ...options, max: 65_535 }), type: "port" };
}

/** Milliseconds as a number, or with a unit: `500ms`, `15s`, `10m`, `24h`. */
export function durationMs(options: Options<number>): Setting<number> {
  const units: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  return setting(
    "duration",
    options,
    (raw) => {
      const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(raw);
      const scale = units[match?.[2] ?? ""];
      if (match === null || scale === undefined) {
        throw new Error(`is ${JSON.stringify(raw)}; use milliseconds or a unit, such as 500ms, 15s, 10m or 24h`);
      }
      return Number(match[1]) * scale;
    },
    (value) => `${value} ms`,
  );
}

export function bool(options: Options<boolean>): Setting<boolean> {
  return setting(
    "true | false",
    options,
    (raw) => {
      if (raw === "true" || raw === "1") return true;
      if (raw === "false" || raw === "0") return false;
      throw new Error(`is ${JSON.stringify(raw)}; use true or false`);
    },
    String,
  );
}

/** A URL with one of the protocols, for example `["redis:", "rediss:"]`. An empty default means "not set". */
export function url(options: Options<string> & { readonly protocols: readonly string[] }): Setting<string> {
  return setting(
    "URL",
    options,
    (raw) => {
      if (!URL.canParse(raw) || !options.protocols.includes(new URL(raw).protocol)) {
        throw new Error(`is ${JSON.stringify(raw)}; use a URL that starts with ${options.protocols.join("// or ")}//`);
      }
      return raw;
    },
    String,
  );
}

/** Comma-separated texts. */
export function list(options: Options<readonly string[]>): Setting<readonly string[]> {
  return setting(
    "list",
    options,
    (raw) =>
      raw
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    (value) => value.join(","),
  );
}

/** Comma-separated `key=value` pairs. */
export function labels(options: Options<Readonly<Record<string, string>>>): Setting<Readonly<Record<string, string>>> {
  return setting(
    "labels",
    options,
    (raw) => {
      const result: Record<string, string> = {};
      for (const pair of raw.split(",").filter((item) => item.trim() !== "")) {
        const equals = pair.indexOf("=");
        const key = pair.slice(0, equals).trim();
        if (equals < 1 || key === "__proto__") {
          throw new Error(`has ${JSON.stringify(pair)}; use key=value pairs, such as app=reviews,version=v1`);
        }
        result[key] = pair.slice(equals + 1).trim();
      }
      return result;
    },
    (value) =>
      Object.entries(value)
        .map(([key, item]) => `${key}=${item}`)
        .join(","),
  );
}

/** Any type with its own reader, for settings with a grammar of their own. */
export function custom<T>(
  type: string,
  options: Options<T>,
  read: (raw: string) => T,
  show: (value: T) => string,
): Setting<T> {
  return setting(type, options, read, show);
}

/**
 * Reads all settings at once. Flags are `--name value` or `--name=value`.
 * Throws one ConfigError that lists every fault, unknown flags included.
 */
export function parseSettings<T extends SettingsTable>(
  table: T,
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): Values<T> {
  const faults: string[] = [];
  const flags = readFlags(table, argv, faults);
  const values: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(table)) {
    const fromFlag = flags.get(item.flag);
    try {
      values[name] = item.parse(fromFlag ?? env[item.env]);
    } catch (error) {
      faults.push(`${fromFlag === undefined ? item.env : item.flag} ${errorMessage(error)}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults.join("\n"), { details: { faults } });
  return Object.freeze(values) as Values<T>;
}

function readFlags(table: SettingsTable, argv: readonly string[], faults: string[]): Map<string, string> {
  const known = new Set(Object.values(table).map((item) => item.flag));
  const flags = new Map<string, string>();
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? "";
    const equals = arg.indexOf("=");
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    if (!known.has(flag)) {
      faults.push(`${arg} is not a setting; the flags are ${[...known].sort().join(", ")}`);
      continue;
    }
    const value = equals < 0 ? argv[++i] : arg.slice(equals + 1);
    if (value === undefined) faults.push(`${flag} needs a value`);
    else flags.set(flag, value);
  }
  return flags;
}
