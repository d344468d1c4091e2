import {
  bool,
  checked,
  checkRegex,
  enumeration,
  field,
  int32,
  list,
  object,
  type Schema,
  string,
} from "../../model/index.ts";
import { parseCidr } from "../expression/ip.ts";
import { goDuration } from "../fields.ts";
import type { ListCheckerParams, ListEntryType } from "../parameters.ts";

const ENTRY_TYPES: readonly ListEntryType[] = ["STRINGS", "CASE_INSENSITIVE_STRINGS", "IP_ADDRESSES", "REGEX"];

const providerUrl = checked(string(), (text, at) => {
  if (text === "") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if ((url?.protocol === "http:" || url?.protocol === "https:") && url.hostname !== "") return text;
  return at.error(
    `${JSON.stringify(text)} is not an http or https URL`,
    "write scheme and host, such as http://lists.example.com/allowed",
  );
});

export const LIST_CHECKER: Schema<ListCheckerParams> = checked(
  object({
    providerUrl: field(providerUrl, "Where the list is fetched from; without, only the overrides count."),
    refreshInterval: field(goDuration({ minMs: 1000 }), "How often it is fetched.", { default: "60s" }),
    ttl: field(goDuration({ minMs: 0 }), "How long a list that cannot be fetched again stays in use.", {
      default: "300s",
    }),
    cachingInterval: field(goDuration({ minMs: 0 }), "How long an answer may be used again.", { default: "300s" }),
    cachingUseCount: field(int32({ min: 0 }), "How often an answer may be used again.", { default: "10000" }),
    overrides: field(list(string()), "Entries besides those fetched."),
    entryType: field(enumeration(ENTRY_TYPES), "What entries are.", { default: "STRINGS" }),
    blacklist: field(bool(), "Refuse what is in the list instead of what is not."),
  }),
  (given, at) => {
    const params: ListCheckerParams = {
      providerUrl: given.providerUrl,
      refreshIntervalMs: given.refreshInterval ?? 60_000,
      ttlMs: given.ttl ?? 300_000,
      cachingIntervalMs: given.cachingInterval ?? 300_000,
      cachingUseCount: given.cachingUseCount ?? 10_000,
      overrides: given.overrides ?? [],
      entryType: given.entryType ?? "STRINGS",
      blacklist: given.blacklist ?? false,
    };
    if (params.ttlMs < params.refreshIntervalMs && at.clean("ttl") && at.clean("refreshInterval")) {
      at.errorOf("ttl", "shorter than refreshInterval", `give at least "${params.refreshIntervalMs / 1000}s"`);
    }
    if (!at.clean("overrides")) return params;
    for (const [i, entry] of params.overrides.entries()) {
      const path = `${at.path}.overrides[${i}]`;
      if (params.entryType === "IP_ADDRESSES" && parseCidr(entry) === undefined) {
        at.reader.error(path, entry, "not an address or a range of addresses", "write 10.0.0.1 or 10.0.0.0/8");
      }
      const fault = params.entryType === "REGEX" ? checkRegex(entry) : undefined;
      if (fault !== undefined) at.reader.error(path, entry, fault.reason, fault.remedy, fault.position);
    }
    return params;
  },
);
