import { analyze } from "../../shared/analysis/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import type { ListedService } from "../../shared/wire/index.ts";
import { readLiveWorld } from "../analysis/live-world.ts";
import type { CommandDefinition, SubcommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { type CliIo, EXIT } from "../io.ts";
import { type DescribedMesh, describeService, servicesNamed } from "../live/description.ts";
import { renderProxy, renderService } from "../live/description-report.ts";
import { gatherProxies, proxiesNamed, proxyName } from "../live/proxies.ts";
import { proxyStateJson, proxyStates } from "../live/proxy-state.ts";
import { notFound } from "../not-found.ts";
import { withConnectionOptions, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { listRegistry } from "../registry-client.ts";
import { palette } from "../render.ts";

interface Flags extends ConnectionFlags {
  readonly output: string;
}

const SERVICE: SubcommandDefinition = {
  name: "service",
  aliases: ["svc"],
  summary: "say what there is to know of a service: instances, rules, gateways, problems",
  examples: [
    { what: "In prose", line: "lateen describe service reviews" },
    { what: "For a program", line: "lateen describe service reviews.default -o json" },
  ],
  completes: ["services"],
  define(command, { io, run }) {
    command.argument("<name>", "with or without .namespace");
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action((word: string, flags: Flags) =>
      run(() =>
        withBus(flags, io, async (bus) => {
          const { services, mesh } = await readMesh(bus, io);
          const found = servicesNamed(services, word);
          if (found.length === 0)
            throw notFound(
              "service",
              word,
              services.map(({ name, namespace }) => `${name}.${namespace}`),
            );
          const described = found.map((service) => describeService(service, mesh));
          const colours = palette(io.colours);
          if (flags.output === "json") io.out(JSON.stringify({ items: described }, undefined, 2));
          else io.out(described.map((service) => renderService(service, colours)).join("\n\n"));
          return EXIT.ok;
        }),
      ),
    );
  },
};

const WORKLOAD: SubcommandDefinition = {
  name: "workload",
  aliases: ["pod", "instance"],
  summary: "say what there is to know of a workload: its proxy, whom it follows, its service",
  examples: [
    { what: "Every instance of it", line: "lateen describe workload reviews-v1.default" },
    { what: "One instance, for a program", line: "lateen describe workload reviews-1 -o json" },
  ],
  completes: ["proxies"],
  define(command, { io, run }) {
    command.argument("<name>", "an instance or a workload, with or without .namespace");
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action((word: string, flags: Flags) =>
      run(() =>
        withBus(flags, io, async (bus) => {
          const { services, mesh } = await readMesh(bus, io);
          const wanted = new Set(
            proxiesNamed(
              mesh.proxies.map(({ status }) => status),
              word,
            ).map(proxyName),
          );
          const proxies = mesh.proxies.filter(({ status }) => wanted.has(proxyName(status)));
          const own = services.filter(({ name, namespace }) =>
            proxies.some(({ status }) => status.service === name && status.namespace === namespace),
          );
          const described = own.map((service) => describeService(service, mesh));
          const colours = palette(io.colours);
          if (flags.output === "json")
            io.out(JSON.stringify({ proxies: proxies.map(proxyStateJson), services: described }, undefined, 2));
          else {
            const parts = [
              ...proxies.map((proxy) => renderProxy(proxy, Date.now(), colours)),
              ...described.map((service) => renderService(service, colours)),
            ];
            io.out(parts.join("\n\n"));
          }
          return EXIT.ok;
        }),
      ),
    );
  },
};

export const DESCRIBE: CommandDefinition = {
  name: "describe",
  group: "Mesh",
  summary: "say in prose what there is to know of a service or a workload",
  examples: [
    { what: "A service and what applies to it", line: "lateen describe service reviews" },
    { what: "A workload, its proxy and its service", line: "lateen describe workload reviews-v1" },
  ],
  subcommands: [SERVICE, WORKLOAD],
};

async function readMesh(
  bus: Bus,
  io: CliIo,
): Promise<{ readonly services: readonly ListedService[]; readonly mesh: DescribedMesh }> {
  return await withProgress(io, "Reading the mesh", async (progress) => {
    const [world, services, statuses] = await Promise.all([
      readLiveWorld(bus, progress),
      listRegistry(bus),
      gatherProxies(bus),
    ]);
    const messages = analyze({ ...world, nowMs: Date.now() });
    const pending = world.live?.pending ?? [];
    return { services, mesh: { resources: world.resources, messages, pending, proxies: proxyStates(statuses) } };
  });
}
