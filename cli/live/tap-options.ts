import { type Command, InvalidArgumentError, Option } from "commander";
import type { ProxyStatus, TapFilter, TapParty, TapReporter } from "../../shared/wire/index.ts";
import type { ConnectionFlags } from "../connection.ts";
import { proxiesNamed } from "./proxies.ts";
import { parseName } from "./traffic.ts";

export interface TapFlags extends ConnectionFlags {
  readonly to?: string;
  readonly from?: string;
  readonly namespace?: string;
  readonly path?: string;
  readonly method?: string;
  readonly status?: string;
  readonly authority?: string;
  readonly reporter?: TapReporter;
  readonly maxRps: number;
  readonly duration?: number;
}

/** The filters of `tap` and `top`. */
export function withTapOptions(command: Command): Command {
  return command
    .argument("[name]", "an instance, a service or a workload, with or without .namespace: whose requests, in and out")
    .option("--to <name>", "only requests to this service, workload or instance")
    .option("--from <name>", "only requests from it")
    .option("-n, --namespace <namespace>", "only proxies of this namespace")
    .option("--path <prefix>", "only paths that begin so")
    .addOption(new Option("--method <method>", "only this method").argParser((text) => text.toUpperCase()))
    .addOption(new Option("--status <status>", "only this status, or class such as 5xx").argParser(parseStatus))
    .option("--authority <host>", "only requests that name this host, with its port where they name one")
    .addOption(
      new Option("--reporter <end>", "as seen by this end; by default each request once").choices([
        "source",
        "destination",
      ]),
    )
    .addOption(
      new Option("--max-rps <count>", "requests a second that each proxy shows at most")
        .default(100)
        .argParser(parseRps),
    );
}

export function tapFilterOf(flags: TapFlags): TapFilter {
  const { to, from, path, method, status, authority, reporter } = flags;
  return {
    ...(reporter !== undefined && { reporter }),
    ...(from !== undefined && { from: partyOf(from) }),
    ...(to !== undefined && { to: partyOf(to) }),
    ...(path !== undefined && { path }),
    ...(method !== undefined && { method }),
    ...(status !== undefined && { status }),
    ...(authority !== undefined && { authority }),
  };
}

/** The proxies that the words mean. Throws NotFoundError when there is none. */
export function chooserOf(
  name: string | undefined,
  namespace: string | undefined,
): (statuses: readonly ProxyStatus[]) => readonly ProxyStatus[] {
  return (statuses) => {
    const there = namespace === undefined ? statuses : statuses.filter((status) => status.namespace === namespace);
    return name === undefined ? there : proxiesNamed(there, name);
  };
}

function partyOf(word: string): TapParty {
  const { name, namespace } = parseName(word);
  return { name, ...(namespace !== undefined && { namespace }) };
}

function parseStatus(text: string): string {
  if (/^[1-9](?:\d\d|xx)$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError("use a code such as 503, or a class such as 5xx");
}

function parseRps(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000) return count;
  throw new InvalidArgumentError("give a number from 1 to 1000");
}

export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("give a number of at least 1");
  return Number(text);
}
