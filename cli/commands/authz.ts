import { InvalidArgumentError, Option } from "commander";
import type { ListedService, MixerCheckAnswer } from "../../shared/wire/index.ts";
import type { CommandDefinition, SubcommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT, UsageError } from "../io.ts";
import { mixerCheck, renderRules } from "../live/mixer-client.ts";
import { type Party, partiesNamed, partyName, requestAttributes } from "../live/request-attributes.ts";
import { notFound } from "../not-found.ts";
import { collect, withConnectionOptions, withOutputOption } from "../options.ts";
import { listRegistry } from "../registry-client.ts";
import { type Palette, palette } from "../render.ts";

interface Flags extends ConnectionFlags {
  readonly header: readonly string[];
  readonly port?: number;
  readonly output: string;
}

/** More pairs of workloads than a person reads. */
const MAX_PAIRS = 50;
const OUTSIDE = "outside";

const CHECK: SubcommandDefinition = {
  name: "check",
  summary: "say whether one workload may call another, and which rule decides",
  about:
    "Says whether a request of one workload to another would be let in, as the destination's proxy would ask: with the labels, identities and addresses that " +
    "are registered. Asks a Mixer and charges no quota. Where a service has several workloads each is judged. The source may be `outside`: a caller " +
    "without a proxy.",
  exitCodes: {
    [EXIT.ok]: "every one of them would be let in",
    [EXIT.failed]: "one of them would be refused",
    [EXIT.usage]: "wrong command line",
    [EXIT.noAnswer]: "one end is not registered, or no Mixer has answered",
  },
  failureCode: EXIT.noAnswer,
  examples: [
    { what: "May every version of reviews call ratings", line: "lateen authz check reviews ratings" },
    {
      what: "With a method, a path and a header",
      line: "lateen authz check reviews-v3.default ratings.default GET /ratings/1 -H 'user: jason'",
    },
    { what: "A caller from outside, for a program", line: "lateen authz check outside productpage -o json" },
  ],
  completes: ["services", "services"],
  define(command, { io, run }) {
    command
      .argument("<source>", "a service, workload or instance, with or without .namespace; or outside")
      .argument("<destination>", "a service, workload or instance, with or without .namespace")
      .argument("[method]", "default GET")
      .argument("[path]", "default /")
      .option("-H, --header <header>", "a header, `name: value`; may be repeated", collect, [])
      .addOption(new Option("--port <port>", "port of the destination; default: its first").argParser(parsePort));
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action(
      (from: string, to: string, method: string | undefined, path: string | undefined, flags: Flags) =>
        run(() =>
          withBus(flags, io, async (bus) => {
            const services = await listRegistry(bus);
            const sources = from === OUTSIDE ? [undefined] : partiesOrThrow(services, from);
            const destinations = partiesOrThrow(services, to);
            const { port } = flags;
            const request = {
              method: method?.toUpperCase() ?? "GET",
              path: path ?? "/",
              headers: headersOf(flags.header),
              ...(port !== undefined && { port }),
            };
            const pairs = sources.flatMap((source) => destinations.map((destination) => ({ source, destination })));
            if (pairs.length > MAX_PAIRS)
              io.err(`${pairs.length} pairs of workloads; only the first ${MAX_PAIRS} are judged, name one of them`);
            const verdicts: Verdict[] = [];
            for (const { source, destination } of pairs.slice(0, MAX_PAIRS)) {
              const attributes = requestAttributes(source, destination, request, Date.now());
              verdicts.push({ source, destination, answer: await mixerCheck(bus, { attributes }) });
            }
            io.out(flags.output === "json" ? verdictsJson(verdicts) : renderVerdicts(verdicts, palette(io.colours)));
            return verdicts.every(({ answer }) => answer.code === 0) ? EXIT.ok : EXIT.failed;
          }),
        ),
    );
  },
};

export const AUTHZ: CommandDefinition = {
  name: "authz",
  group: "Mesh",
  summary: "find out who may call whom",
  examples: [{ what: "May every version of reviews call ratings", line: "lateen authz check reviews ratings" }],
  subcommands: [CHECK],
};

interface Verdict {
  readonly source: Party | undefined;
  readonly destination: Party;
  readonly answer: MixerCheckAnswer;
}

function renderVerdicts(verdicts: readonly Verdict[], colours: Palette): string {
  return verdicts
    .flatMap(({ source, destination, answer }) => {
      const pair = `${sourceName(source)} -> ${partyName(destination)}`;
      const { code, status, httpStatus, message, rules, rulesLeftOut } = answer;
      const verdict =
        code === 0
          ? colours.good("ALLOWED")
          : `${colours.bad("DENIED")} with ${httpStatus} (${status}${message === "" ? "" : `: ${message}`})`;
      const more = rulesLeftOut === 0 ? [] : [`  and ${rulesLeftOut} rules more`];
      const none = rules.length === 0 ? ["  no rule looks at such requests"] : [];
      return [`${pair}: ${verdict}`, ...none, ...renderRules(rules, colours), ...more];
    })
    .join("\n");
}

function verdictsJson(verdicts: readonly Verdict[]): string {
  const items = verdicts.map(({ source, destination, answer }) => ({
    source: sourceName(source),
    destination: partyName(destination),
    allowed: answer.code === 0,
    ...answer,
  }));
  return JSON.stringify({ items }, undefined, 2);
}

function sourceName(source: Party | undefined): string {
  return source === undefined ? OUTSIDE : partyName(source);
}

function partiesOrThrow(services: readonly ListedService[], word: string): readonly Party[] {
  const parties = partiesNamed(services, word);
  if (parties.length > 0) return parties;
  const names = services.flatMap(({ name, namespace, instances }) =>
    [name, ...instances.map(({ workload }) => workload)].map((each) => `${each}.${namespace}`),
  );
  throw notFound("registered service, workload or instance", word, names);
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      if (colon < 1) throw new UsageError(`${JSON.stringify(line)}: write a header as 'name: value'`);
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("give a port from 1 to 65535");
}
