import { type Command, InvalidArgumentError, Option } from "commander";
import type { Bus } from "../../shared/bus/index.ts";
import type { ProxyStatus } from "../../shared/wire/index.ts";
import type { CommandContext, CommandDefinition, SubcommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { askProxy, gatherProxies, proxyName, proxyNamed } from "../live/proxies.ts";
import {
  renderClusters,
  renderEndpoints,
  renderListeners,
  renderPlain,
  renderRoutes,
  renderSecrets,
  renderTables,
} from "../live/proxy-config-report.ts";
import type { ClusterRow, EndpointRow, ListenerRow, RouteConfigRow, SecretRow, TableRow } from "../live/proxy-views.ts";
import { withConnectionOptions, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";

interface Flags extends ConnectionFlags {
  readonly match?: string;
  readonly port?: number;
  readonly service?: string;
  readonly host?: string;
  readonly rule?: string;
  readonly subset?: string;
  readonly address?: string;
  readonly status?: "healthy" | "unhealthy";
  readonly level?: string;
  readonly output: string;
}

/** One sort of thing that a proxy has many of. */
interface Section<T> {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly example: { readonly what: string; readonly flags: string };
  readonly options?: (command: Command) => void;
  readonly view: string;
  readonly rowsOf: (answer: Readonly<Record<string, unknown>>) => readonly T[];
  readonly fits: (row: T, flags: Flags) => boolean;
  readonly render: (rows: readonly T[]) => string;
}

const LEVELS = ["trace", "debug", "info", "warn", "error"];

const LISTENERS: Section<ListenerRow> = {
  name: "listeners",
  aliases: ["listener", "l"],
  summary: "sockets on which it listens",
  example: { what: "Who has port 15006", flags: "--port 15006" },
  options: withPort,
  view: "listeners",
  rowsOf: ({ listener_statuses: rows }) => rows as ListenerRow[],
  fits: (row, { port }) => port === undefined || row.local_address.socket_address.port_value === port,
  render: renderListeners,
};

const ROUTES: Section<RouteConfigRow> = {
  name: "routes",
  aliases: ["route", "r"],
  summary: "routes that requests meet, in their order",
  example: { what: "To one service", flags: "--service reviews.default" },
  options: (command) =>
    withPort(withService(command))
      .option("--host <host>", "only of hosts that begin so")
      .option("--rule <name>", "only of rules in whose kind, namespace and name this occurs"),
  view: "routes",
  rowsOf: ({ route_configs: rows }) => rows as RouteConfigRow[],
  fits: (row, { service, host, port, rule }) =>
    isOfService(row.name, service) &&
    (host === undefined || row.host.startsWith(host)) &&
    (port === undefined || Object.keys(row.ports).includes(String(port))) &&
    (rule === undefined || row.routes.some((route) => route.rule.includes(rule))),
  render: renderRoutes,
};

const CLUSTERS: Section<ClusterRow> = {
  name: "clusters",
  aliases: ["cluster", "c"],
  summary: "groups of instances that routes choose, with their policies",
  example: { what: "Of one subset", flags: "--service reviews.default --subset version=v2" },
  options: (command) => withSubset(withPort(withService(command))),
  view: "clusters",
  rowsOf: ({ cluster_statuses: rows }) => rows as ClusterRow[],
  fits: (row, flags) => isOfCluster(row.name, flags),
  render: renderClusters,
};

const ENDPOINTS: Section<EndpointRow> = {
  name: "endpoints",
  aliases: ["endpoint", "ep"],
  summary: "instances, their health and load",
  example: { what: "That get no requests", flags: "--status unhealthy" },
  options: (command) =>
    withSubset(withPort(withService(command)))
      .option("--address <address>", "only at this address")
      .addOption(new Option("--status <status>", "only those").choices(["healthy", "unhealthy"])),
  view: "endpoints",
  rowsOf: ({ endpoint_statuses: rows }) => rows as EndpointRow[],
  fits: (row, { port, address, status, ...flags }) =>
    isOfCluster(row.cluster, flags) &&
    (port === undefined || row.port === port || row.service_port === port) &&
    (address === undefined || row.address === address) &&
    (status === undefined || row.health.toLowerCase() === status),
  render: renderEndpoints,
};

const SECRETS: Section<SecretRow> = {
  name: "secrets",
  aliases: ["secret", "s"],
  summary: "own certificates and roots, without keys",
  example: { what: "When they expire", flags: "" },
  view: "secrets",
  rowsOf: ({ secrets: rows }) => rows as SecretRow[],
  fits: () => true,
  render: renderSecrets,
};

const TABLES: Section<TableRow> = {
  name: "tables",
  aliases: ["table", "t"],
  summary: "keys that it follows on the bus, and their versions",
  example: { what: "All of them", flags: "" },
  view: "tables",
  rowsOf: ({ tables: rows }) => rows as TableRow[],
  fits: () => true,
  render: renderTables,
};

/** In the order in which `all` shows them. */
const SECTIONS = [LISTENERS, ROUTES, CLUSTERS, ENDPOINTS, SECRETS, TABLES] as const;

export const PROXY_CONFIG: CommandDefinition = {
  name: "proxy-config",
  aliases: ["pc"],
  group: "Mesh",
  summary: "show what one proxy runs on",
  about:
    "Shows what one proxy runs on, as it tells itself over the bus. The proxy is an instance, with or without .namespace, or a service or workload that " +
    "has only one.",
  examples: [
    { what: "Where the requests of a proxy go", line: "lateen proxy-config routes reviews-1.default" },
    { what: "Whom it may send to, and how they are", line: "lateen pc endpoints reviews-1 --service ratings" },
  ],
  subcommands: [
    ...SECTIONS.map((section) => sectionCommand(section as Section<unknown>)),
    logCommand(),
    plainCommand("bootstrap", ["b"], "settings that it was started with, passwords redacted"),
    plainCommand("mesh", ["m"], "what the mesh sets for it, and the Sidecar that is in force"),
    allCommand(),
  ],
};

function sectionCommand(section: Section<unknown>): SubcommandDefinition {
  const { name, aliases, summary, example } = section;
  return {
    name,
    aliases,
    summary: `show ${summary}`,
    examples: [
      { what: `Of one proxy`, line: `lateen proxy-config ${name} reviews-1.default` },
      ...(example.flags === "" ? [] : [{ what: example.what, line: `lateen pc ${name} reviews-1 ${example.flags}` }]),
    ],
    completes: ["proxies"],
    define(command, context) {
      section.options?.(command);
      command.option("--match <text>", "only rows in whose names this occurs; for proxies that have very many");
      run(command, context, async (bus, status, flags) => {
        const rows = await rowsOf(bus, status, section, flags);
        return flags.output === "json" ? JSON.stringify(rows, undefined, 2) : section.render(rows);
      });
    },
  };
}

async function rowsOf(
  bus: Bus,
  status: ProxyStatus,
  section: Section<unknown>,
  flags: Flags,
): Promise<readonly unknown[]> {
  const question = { view: section.view, ...(flags.match !== undefined && { match: flags.match }) };
  const answer = await askProxy<Readonly<Record<string, unknown>>>(bus, status, question);
  return section.rowsOf(answer).filter((row) => section.fits(row, flags));
}

function logCommand(): SubcommandDefinition {
  return {
    name: "log",
    summary: "show or set the log level, until the proxy restarts",
    examples: [
      { what: "As it is", line: "lateen proxy-config log reviews-1.default" },
      { what: "More of it, for a while", line: "lateen pc log reviews-1 --level debug" },
    ],
    completes: ["proxies"],
    define(command, context) {
      command.addOption(new Option("--level <level>", "the new level").choices(LEVELS));
      run(command, context, async (bus, status, { level, output }) => {
        const question = level === undefined ? { view: "logging" } : { action: "log_level", level };
        const answer = await askProxy<{ level: string }>(bus, status, question);
        return output === "json" ? JSON.stringify(answer, undefined, 2) : `${proxyName(status)}: ${answer.level}`;
      });
    },
  };
}

function plainCommand(name: string, aliases: readonly string[], summary: string): SubcommandDefinition {
  return {
    name,
    aliases,
    summary: `show ${summary}`,
    examples: [{ what: "Of one proxy", line: `lateen proxy-config ${name} reviews-1.default` }],
    completes: ["proxies"],
    define(command, context) {
      run(command, context, async (bus, status, { output }) => {
        const answer = await askProxy<Readonly<Record<string, unknown>>>(bus, status, { view: name });
        return output === "json" ? JSON.stringify(answer[name], undefined, 2) : renderPlain(answer[name]);
      });
    },
  };
}

function allCommand(): SubcommandDefinition {
  return {
    name: "all",
    aliases: ["a"],
    summary: "show listeners, routes, clusters, endpoints, certificates and tables",
    examples: [{ what: "Everything about one proxy", line: "lateen proxy-config all reviews-1.default -o json" }],
    completes: ["proxies"],
    define(command, context) {
      withService(command);
      run(command, context, async (bus, status, flags) => {
        const parts: [string, readonly unknown[], string][] = [];
        for (const section of SECTIONS as readonly Section<unknown>[]) {
          const rows = await rowsOf(bus, status, section, flags);
          parts.push([section.name, rows, section.render(rows)]);
        }
        if (flags.output === "json")
          return JSON.stringify(Object.fromEntries(parts.map(([name, rows]) => [name, rows])), undefined, 2);
        return parts.map(([name, , text]) => `${name}\n\n${text}`).join("\n\n");
      });
    },
  };
}

function run(
  command: Command,
  { io, run: runCommand }: CommandContext,
  show: (bus: Bus, status: ProxyStatus, flags: Flags) => Promise<string>,
): void {
  command.argument("<proxy>", "instance, with or without .namespace; or a service or workload with one proxy");
  withConnectionOptions(withOutputOption(command, ["short", "json"])).action((word: string, flags: Flags) =>
    runCommand(() =>
      withBus(flags, io, async (bus) => {
        const statuses = await withProgress(io, "Asking proxies", () => gatherProxies(bus));
        io.out(await show(bus, proxyNamed(statuses, word), flags));
        return EXIT.ok;
      }),
    ),
  );
}

function withPort(command: Command): Command {
  return command.addOption(new Option("--port <port>", "only of this port").argParser(parsePort));
}

function withService(command: Command): Command {
  return command.option("--service <service>", "only of this service, with or without .namespace");
}

function withSubset(command: Command): Command {
  return command.option("--subset <labels>", "only of the subset with these labels, such as version=v2");
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("give a port from 1 to 65535");
}

/** A name is `service.namespace`, whatever follows. */
function isOfService(name: string, service: string | undefined): boolean {
  return service === undefined || name === service || name.startsWith(`${service}.`);
}

/** `service.namespace`, with `:port` and `|labels` where they tell clusters apart. */
function isOfCluster(name: string, { service, port, subset }: Flags): boolean {
  const [, of = "", ownPort = "", labels = ""] = /^([^:|]*)(?::(\d+))?(?:\|(.*))?$/.exec(name) ?? [];
  return (
    isOfService(of, service) &&
    (port === undefined || ownPort === "" || Number(ownPort) === port) &&
    (subset === undefined || labels.split(",").includes(subset) || labels === subset)
  );
}
