import { type Command, InvalidArgumentError, Option } from "commander";
import { attributeType, closest, parseReference, referenceType, type ValueType } from "../../shared/model/index.ts";
import { ATTRIBUTES } from "../../shared/policy/index.ts";
import type { AttributeJson } from "../../shared/wire/index.ts";

/*
 * Attributes as mixc takes them: `-a` for any, whose type is that of the vocabulary, or a flag for each type, which then must be
 * the vocabulary's. Several in one flag are separated by commas; a comma within a value is written `\,`.
 */

export type AttributeFlags = Readonly<Record<string, unknown>>;

interface TypedFlag {
  readonly flags: string;
  readonly types: readonly ValueType[];
  readonly text: string;
}

const TEXTS = ["STRING", "URI", "DNS_NAME", "EMAIL_ADDRESS"] as const;

const FLAGS: Readonly<Record<string, TypedFlag>> = {
  attributes: { flags: "-a, --attributes <list>", types: [], text: "attributes of any type: name=value,name=value" },
  stringAttributes: { flags: "-s, --string_attributes <list>", types: TEXTS, text: "those that are text" },
  int64Attributes: { flags: "-i, --int64_attributes <list>", types: ["INT64"], text: "those that are whole numbers" },
  doubleAttributes: { flags: "-d, --double_attributes <list>", types: ["DOUBLE"], text: "those that are numbers" },
  boolAttributes: { flags: "-b, --bool_attributes <list>", types: ["BOOL"], text: "those that are true or false" },
  timestampAttributes: {
    flags: "-t, --timestamp_attributes <list>",
    types: ["TIMESTAMP"],
    text: "those that are times, such as request.time=2026-01-15T09:30:00Z",
  },
  durationAttributes: {
    flags: "--duration_attributes <list>",
    types: ["DURATION"],
    text: "those that are durations, such as response.duration=12ms",
  },
  bytesAttributes: {
    flags: "--bytes_attributes <list>",
    types: ["IP_ADDRESS"],
    text: "those that are addresses, as bytes in hexadecimal: source.ip=a:0:0:1",
  },
  stringmapAttributes: {
    flags: "--stringmap_attributes <list>",
    types: ["STRING_MAP"],
    text: "those that are maps: request.headers=user:jason;cookie:a",
  },
};

type Attributes = Record<string, AttributeJson>;

export function withAttributeOptions(command: Command): Command {
  for (const [name, { flags, types, text }] of Object.entries(FLAGS)) {
    const parse = (list: string, before: Attributes | undefined) => ({ ...before, ...parseList(list, name, types) });
    command.addOption(new Option(flags, text).argParser(parse));
  }
  return command;
}

/** All attributes of the flags; JSON values as a Mixer takes them. */
export function attributesOf(flags: AttributeFlags): Attributes {
  return Object.assign({}, ...optionNames().map((name) => flags[name] ?? {})) as Attributes;
}

/** As commander calls them. */
function optionNames(): string[] {
  return Object.values(FLAGS).map(({ flags }) => new Option(flags).attributeName());
}

function parseList(list: string, flag: string, types: readonly ValueType[]): Attributes {
  const attributes: Attributes = {};
  for (const entry of list.split(/(?<!\\),/).map((each) => each.replaceAll("\\,", ","))) {
    const equals = entry.indexOf("=");
    if (equals < 1) throw new InvalidArgumentError(`${JSON.stringify(entry)}: write name=value`);
    const reference = entry.slice(0, equals);
    attributes[reference] = parseValue(reference, entry.slice(equals + 1), flag, types);
  }
  return attributes;
}

function parseValue(reference: string, text: string, flag: string, types: readonly ValueType[]): AttributeJson {
  const type = referenceType(reference);
  if (type === undefined) throw new InvalidArgumentError(unknown(reference));
  if (types.length > 0 && !types.includes(type)) throw new InvalidArgumentError(`${reference} is of type ${type}`);
  switch (type) {
    case "INT64":
    case "DOUBLE": {
      const number = Number(text);
      if (text.trim() === "" || Number.isNaN(number))
        throw new InvalidArgumentError(`${reference}: ${text} is no number`);
      return number;
    }
    case "BOOL":
      if (text !== "true" && text !== "false") throw new InvalidArgumentError(`${reference}: use true or false`);
      return text === "true";
    case "STRING_MAP":
      return parseMap(reference, text);
    case "IP_ADDRESS":
      return flag === "bytesAttributes" ? addressOf(reference, text) : text;
    default:
      return text;
  }
}

function parseMap(reference: string, text: string): Record<string, string> {
  const entries = text.split(";").filter((entry) => entry !== "");
  return Object.fromEntries(
    entries.map((entry) => {
      // A name may begin with a colon, such as `:path`.
      const colon = entry.indexOf(":", 1);
      if (colon < 0) throw new InvalidArgumentError(`${reference}: write name:value;name:value`);
      return [entry.slice(0, colon), entry.slice(colon + 1)];
    }),
  );
}

/** `a:0:0:1` is 10.0.0.1. */
function addressOf(reference: string, text: string): string {
  const bytes = text.split(":").map((byte) => Number.parseInt(byte, 16));
  if ((bytes.length !== 4 && bytes.length !== 16) || bytes.some((byte) => !(byte >= 0 && byte <= 255)))
    throw new InvalidArgumentError(`${reference}: write 4 or 16 bytes in hexadecimal, with colons between`);
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return groups.join(":");
}

function unknown(reference: string): string {
  const attribute = parseReference(reference)?.attribute ?? reference;
  if (attributeType(attribute) !== undefined) return `${attribute} has no keys`;
  const meant = closest(attribute, ATTRIBUTES.keys());
  return `no attribute ${attribute}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}
