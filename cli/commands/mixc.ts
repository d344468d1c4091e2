import { type Command, InvalidArgumentError, Option } from "commander";
import type { CommandContext, CommandDefinition, SubcommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { attributesOf, withAttributeOptions } from "../live/attribute-flags.ts";
import { mixerCheck, mixerReport, renderRules } from "../live/mixer-client.ts";
import { withConnectionOptions, withOutputOption } from "../options.ts";
import { palette } from "../render.ts";

interface Flags extends ConnectionFlags {
  readonly quotas?: Readonly<Record<string, number>>;
  readonly deduplicationId?: string;
  readonly repeat: number;
  readonly output: string;
}

const CHECK_EXIT_CODES = {
  [EXIT.ok]: "the request would pass",
  [EXIT.failed]: "it would be refused",
  [EXIT.usage]: "wrong command line",
  [EXIT.noAnswer]: "no Mixer has answered",
};

const CHECK: SubcommandDefinition = {
  name: "check",
  summary: "ask whether a request with these attributes would pass, and why",
  about:
    "Asks a Mixer whether a request with these attributes would pass, and shows every rule that it looked at. Quotas are charged only when -q names them.",
  exitCodes: CHECK_EXIT_CODES,
  failureCode: EXIT.noAnswer,
  examples: [
    {
      what: "Would version 3 of a caller be let in",
      line: "lateen mixc check -s destination.service=ratings.default.svc.cluster.local --stringmap_attributes 'source.labels=version:v3'",
    },
    {
      what: "Charge a quota five times",
      line: "lateen mixc check -a destination.namespace=default -q RequestCount=1 -r 5",
    },
  ],
  define(command, { io, run }) {
    common(command, { io, run })
      .addOption(new Option("-q, --quotas <list>", "quotas to charge: name=amount,name=amount").argParser(parseQuotas))
      .option("--deduplication-id <id>", "equal ids are charged once")
      .action((flags: Flags) =>
        run(() =>
          withBus(flags, io, async (bus) => {
            let isAllowed = true;
            for (let i = 0; i < flags.repeat && !io.signal.aborted; i++) {
              const answer = await mixerCheck(bus, {
                attributes: attributesOf(flags as never),
                ...(flags.quotas !== undefined && { quotas: flags.quotas }),
                ...(flags.deduplicationId !== undefined && { deduplicationId: flags.deduplicationId }),
              });
              const short = answer.quotas.some(({ amount, granted }) => granted < amount);
              isAllowed = answer.code === 0 && !short;
              if (flags.output === "json") {
                io.out(JSON.stringify(answer, undefined, 2));
                continue;
              }
              const colours = palette(io.colours);
              const status = isAllowed
                ? colours.good(answer.status)
                : colours.bad(short ? "RESOURCE_EXHAUSTED" : answer.status);
              const absent = answer.referenced.filter((each) => each.absent).map(({ attribute }) => attribute);
              const looked = answer.referenced.filter((each) => !each.absent).map(({ attribute }) => attribute);
              io.out(
                [
                  `Check status was ${status}${answer.message === "" ? "" : `: ${answer.message}`}`,
                  `  by ${answer.replica} at revision ${answer.revision}; valid for ${answer.validMs} ms and ${answer.validUses} uses`,
                  ...(looked.length === 0 ? [] : [`  depends on ${looked.join(", ")}`]),
                  ...(absent.length === 0 ? [] : [`  and on the absence of ${absent.join(", ")}`]),
                  ...answer.quotas.map(
                    ({ quota, amount, granted }) => `  quota ${quota}: ${granted} of ${amount} granted`,
                  ),
                  ...renderRules(answer.rules, colours),
                ].join("\n"),
              );
            }
            return isAllowed ? EXIT.ok : EXIT.failed;
          }),
        ),
      );
  },
};

const REPORT: SubcommandDefinition = {
  name: "report",
  summary: "send a report with these attributes, as a proxy would",
  about:
    "Sends one request's report with these attributes to a Mixer, as a proxy would after the request, and shows which rules took it. It goes to real " +
    "handlers: metrics count it.",
  examples: [
    {
      what: "A slow answer",
      line: "lateen mixc report -a destination.service=ratings.default.svc.cluster.local,response.code=200,response.duration=2s",
    },
  ],
  define(command, { io, run }) {
    common(command, { io, run }).action((flags: Flags) =>
      run(() =>
        withBus(flags, io, async (bus) => {
          for (let i = 0; i < flags.repeat && !io.signal.aborted; i++) {
            const answer = await mixerReport(bus, { attributes: attributesOf(flags as never) });
            if (flags.output === "json") {
              io.out(JSON.stringify(answer, undefined, 2));
              continue;
            }
            const taken = answer.rules.length === 0 ? "; no rule takes it" : "";
            io.out(
              [
                `Report taken by ${answer.replica} at revision ${answer.revision}${taken}`,
                ...renderRules(answer.rules, palette(io.colours)),
              ].join("\n"),
            );
          }
          return EXIT.ok;
        }),
      ),
    );
  },
};

/** `lateen mixer check` and `lateen mixer report` come here too: `lateen mixer` alone starts a Mixer. */
export const MIXC: CommandDefinition = {
  name: "mixc",
  group: "Mesh",
  summary: "ask a Mixer directly, with attributes of one's own",
  about:
    "Asks a Mixer directly, with attributes of one's own, as Istio's mixc does. `lateen mixer check` and `lateen mixer report` are the same.",
  examples: [
    {
      what: "Would a request pass",
      line: "lateen mixc check -s destination.service=ratings.default.svc.cluster.local",
    },
  ],
  subcommands: [CHECK, REPORT],
};

function common(command: Command, _context: CommandContext): Command {
  withAttributeOptions(command).addOption(
    new Option("-r, --repeat <times>", "how often").default(1).argParser(parseRepeat),
  );
  return withConnectionOptions(withOutputOption(command, ["short", "json"]));
}

function parseRepeat(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("give a number of at least 1");
  return Number(text);
}

function parseQuotas(list: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    list.split(",").map((entry) => {
      const match = /^([^=]+)=([1-9]\d{0,8})$/.exec(entry.trim());
      if (match === null) throw new InvalidArgumentError("write name=amount, with an amount of at least 1");
      return [match[1] ?? "", Number(match[2])];
    }),
  );
}

/** The words after `lateen mixer` that ask one, rather than start one. */
export function isMixerRequest(words: readonly (string | undefined)[]): boolean {
  const [command, request] = words;
  return command === "mixer" && (request === "check" || request === "report");
}
