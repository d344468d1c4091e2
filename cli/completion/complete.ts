import type { Command, Option } from "commander";
import type { CompletionSource } from "../command.ts";
import { definitionOf } from "../command.ts";
import { allKinds } from "../documents.ts";

/**
 * What may stand where the cursor is. The words before it are read as the command line would read them, but for mistakes:
 * whoever is typing has not finished. What only the mesh knows is asked for through `Lookup`.
 */
export interface Reply {
  readonly value: string;
  /** A few words, for shells that show them. */
  readonly text: string;
}

/** `files`: the shell completes file names itself. */
export type Completion = readonly Reply[] | "files";

/** What the words before the cursor say. */
export interface Typed {
  readonly operands: readonly string[];
  /** By attribute name, such as natsUrl. */
  readonly options: Readonly<Record<string, string | true>>;
}

export interface Lookup {
  names(kind: string, typed: Typed): Promise<readonly string[]>;
  namespaces(typed: Typed): Promise<readonly string[]>;
  services(typed: Typed): Promise<readonly string[]>;
  proxies(typed: Typed): Promise<readonly string[]>;
  contexts(): readonly string[];
}

/** What the value of an option may be, where it has no choices of its own. */
const OPTION_SOURCES: Readonly<Record<string, CompletionSource>> = {
  "--namespace": "namespaces",
  "--to-namespace": "namespaces",
  "--service": "services",
  "--context": "contexts",
  "--from": "services",
  "--to": "services",
  "--filename": "files",
  "--credentials": "files",
  "--workloads": "files",
  "--out": "files",
  "--store-dir": "files",
};

/** `words`: all after the program's name; the last one is being typed, and may be empty. */
export async function complete(program: Command, words: readonly string[], lookup: Lookup): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const { command, operands, options, waiting } = read(program, words.slice(0, -1));
  const typed = { operands, options };
  if (waiting !== undefined) return filtered(await valuesOf(waiting, typed, lookup), current);
  const [, flag, value = ""] = /^(--[^=]+)=(.*)$/.exec(current) ?? [];
  if (flag !== undefined) {
    const option = command.options.find(({ long }) => long === flag);
    const values = option === undefined ? [] : filtered(await valuesOf(option, typed, lookup), value);
    return values === "files" ? values : values.map((reply) => ({ ...reply, value: `${flag}=${reply.value}` }));
  }
  if (current.startsWith("-")) return filtered(flagsOf(command, options), current);
  const children = command.commands.filter((child) => definitionOf(child)?.isHidden !== true);
  if (children.length > 0 && operands.length === 0) {
    return filtered(
      children.map((child) => ({ value: child.name(), text: child.summary() || child.description() })),
      current,
    );
  }
  const sources = definitionOf(command)?.completes ?? [];
  const source = sources[Math.min(operands.length, sources.length - 1)];
  return source === undefined ? [] : ofSource(source, current, typed, lookup);
}

interface ReadWords extends Typed {
  readonly command: Command;
  /** The option whose value comes next. */
  readonly waiting: Option | undefined;
}

function read(program: Command, words: readonly string[]): ReadWords {
  let command = program;
  let waiting: Option | undefined;
  const operands: string[] = [];
  const options: Record<string, string | true> = {};
  for (const word of words) {
    if (waiting !== undefined) {
      options[waiting.attributeName()] = word;
      waiting = undefined;
      continue;
    }
    if (word.startsWith("-") && word !== "-") {
      const [flag = "", value] = word.startsWith("--")
        ? splitOnce(word)
        : [word.slice(0, 2), word.slice(2) || undefined];
      const option = command.options.find(({ long, short }) => long === flag || short === flag);
      if (option === undefined) continue;
      const takesValue = option.required || option.optional;
      if (!takesValue) options[option.attributeName()] = true;
      else if (value !== undefined) options[option.attributeName()] = value;
      else waiting = option;
      continue;
    }
    const child = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (operands.length === 0 && child !== undefined) command = child;
    else operands.push(word);
  }
  return { command, operands, options, waiting };
}

function splitOnce(word: string): readonly [string, string | undefined] {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

/** Those of the mesh come last: mostly they are not what is looked for. */
function flagsOf(command: Command, given: Typed["options"]): readonly Reply[] {
  return command.options
    .filter(
      (option) =>
        !option.hidden &&
        (option.variadic || Array.isArray(option.defaultValue) || given[option.attributeName()] === undefined),
    )
    .flatMap(({ long, description }) => (typeof long === "string" ? [{ value: long, text: description }] : []))
    .concat({ value: "--help", text: "show help" });
}

async function valuesOf(option: Option, typed: Typed, lookup: Lookup): Promise<Completion> {
  if (option.argChoices !== undefined) return replies(option.argChoices);
  const source = OPTION_SOURCES[option.long ?? ""];
  return source === undefined ? [] : ofSource(source, "", typed, lookup);
}

async function ofSource(source: CompletionSource, current: string, typed: Typed, lookup: Lookup): Promise<Completion> {
  switch (source) {
    case "files":
      return "files";
    case "kinds":
      return kindsOrPairs(current, typed, lookup);
    case "names":
      return namesAfterKind(current, typed, lookup);
    case "contexts":
      return filtered(replies(lookup.contexts()), current);
    case "namespaces":
      return filtered(replies(await lookup.namespaces(typed)), current);
    case "services":
      return filtered(replies(await lookup.services(typed)), current);
    case "proxies":
      return filtered(replies(await lookup.proxies(typed)), current);
    default:
      return filtered(replies(source), current);
  }
}

async function kindsOrPairs(current: string, typed: Typed, lookup: Lookup): Promise<Completion> {
  const slash = current.indexOf("/");
  if (slash >= 0) return pairs(current.slice(0, slash), current, typed, lookup);
  const comma = current.lastIndexOf(",");
  const before = current.slice(0, comma + 1);
  const kinds = allKinds().map(({ kind, doc }) => ({ value: `${before}${kind.toLowerCase()}`, text: doc }));
  return filtered(kinds, current);
}

async function namesAfterKind(current: string, typed: Typed, lookup: Lookup): Promise<Completion> {
  const [kind = ""] = typed.operands;
  const slash = current.indexOf("/");
  if (slash >= 0) return pairs(current.slice(0, slash), current, typed, lookup);
  if (kind.includes("/") || kind === "") return [];
  const given = new Set(typed.operands.slice(1));
  const names = await lookup.names(kind, typed);
  return filtered(replies(names.filter((name) => !given.has(name))), current);
}

async function pairs(kind: string, current: string, typed: Typed, lookup: Lookup): Promise<Completion> {
  const names = await lookup.names(kind, typed);
  return filtered(replies(names.map((name) => `${kind}/${name}`)), current);
}

function replies(values: readonly string[]): readonly Reply[] {
  return values.map((value) => ({ value, text: "" }));
}

function filtered(completion: Completion, current: string): Completion {
  return completion === "files" ? completion : completion.filter(({ value }) => value.startsWith(current));
}
