import { VERSION as OWN_VERSION } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { ComponentStatus, ComponentStatusRequest, ProxyStatus, SyncRequest } from "../../shared/wire/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { proxyName } from "../live/proxies.ts";
import { withConnectionOptions, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { renderTable } from "../render.ts";

interface VersionFlags extends ConnectionFlags {
  readonly remote?: boolean;
  readonly output: "short" | "json";
}

interface RemoteVersion {
  readonly role: string;
  readonly name: string;
  readonly version: string;
}

const GATHER = { quietMs: 300, maxMs: 3_000 } as const;

export const VERSION: CommandDefinition = {
  name: "version",
  group: "Command line",
  summary: "show the version, with --remote also those of what runs in the mesh",
  examples: [
    { what: "Of the command line", line: "lateen version" },
    { what: "Of every component and proxy that answers", line: "lateen version --remote" },
  ],
  define(command, { io, run }) {
    command.option("--remote", "also of components and proxies, asked over the bus");
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action((flags: VersionFlags) =>
      run(async () => {
        const client = { version: OWN_VERSION, node: process.version };
        const remote =
          flags.remote === true
            ? await withBus(flags, io, (bus) => withProgress(io, "Asking the mesh", () => remoteVersions(bus)))
            : undefined;
        if (flags.output === "json") {
          io.out(JSON.stringify({ client, ...(remote !== undefined && { remote }) }, undefined, 2));
          return EXIT.ok;
        }
        io.out(`lateen ${client.version} (node ${client.node})`);
        if (remote === undefined) return EXIT.ok;
        io.out(
          remote.length === 0
            ? "Nothing in the mesh answers."
            : renderTable(
                ["ROLE", "NAME", "VERSION"],
                remote.map(({ role, name, version }) => [role, name, version]),
              ),
        );
        return EXIT.ok;
      }),
    );
  },
};

async function remoteVersions(bus: Bus): Promise<readonly RemoteVersion[]> {
  const [components, proxies] = await Promise.all([
    bus.gather(bus.subjects.componentStatus(), ComponentStatusRequest, {}, ComponentStatus, GATHER),
    bus.gather(bus.subjects.syncStatus(), SyncRequest, {}, ProxyStatus, GATHER),
  ]);
  const sorted = (all: RemoteVersion[]) => all.sort((a, b) => (`${a.role} ${a.name}` < `${b.role} ${b.name}` ? -1 : 1));
  return [
    ...sorted(components.map(({ role, name, version }) => ({ role, name, version }))),
    ...sorted(proxies.map((proxy) => ({ role: "proxy", name: proxyName(proxy), version: proxy.version }))),
  ];
}
