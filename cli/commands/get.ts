import { ConfigClient } from "../../client/index.ts";
import { errorMessage } from "../../shared/base/index.ts";
import { formatKey, type Resource } from "../../shared/model/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT, UsageError } from "../io.ts";
import { withConnectionOptions, withOutputOption, withSelectionOptions } from "../options.ts";
import { withProgress } from "../progress.ts";
import { RESOURCE_FORMATS, type ResourceFormat, renderResources } from "../resources/output.ts";
import { listSelected, parseSelection, type Selection, type SelectionFlags } from "../resources/selection.ts";
import { watchResources } from "../resources/watch.ts";

export interface GetFlags extends ConnectionFlags, SelectionFlags {
  readonly output: ResourceFormat;
  readonly watch?: boolean;
  readonly watchOnly?: boolean;
}

/** What the mesh holds, as it was applied. */
export const GET: CommandDefinition = {
  name: "get",
  group: "Configuration",
  summary: "show configuration, or follow its changes",
  about:
    "Shows configuration as it was applied. Kinds are taken as singular, plural or short name, several joined by commas, or all of them as `all`.",
  examples: [
    { what: "All route rules of namespace default", line: "lateen get routerules" },
    { what: "Everything, everywhere", line: "lateen get all -A" },
    {
      what: "Two kinds of a namespace, by label, with more columns",
      line: "lateen get vs,dr -n shop -l app=web -o wide",
    },
    { what: "One, as it can be applied again", line: "lateen get routerule reviews-default -o yaml" },
    { what: "What is there, then every change until Ctrl-C", line: "lateen get vs -A --watch" },
  ],
  completes: ["kinds", "names"],
  define(command, { io, run }) {
    command
      .argument("[kind]", "such as routerule, routerules, vs, vs,dr, all or vs/reviews")
      .argument("[names...]", "names of that kind");
    withSelectionOptions(withOutputOption(command, RESOURCE_FORMATS))
      .option("-w, --watch", "after that, every change, deletions too")
      .option("--watch-only", "only changes from now on");
    withConnectionOptions(command).action((kind: string | undefined, names: readonly string[], flags: GetFlags) =>
      run(async () => {
        const selection = parseSelection(kind === undefined ? [] : [kind, ...names], flags);
        const follows = flags.watch === true || flags.watchOnly === true;
        if (follows && flags.output === "name") throw new UsageError("-o name shows no changes; leave --watch out");
        return withBus(flags, io, async (bus) => {
          if (follows) return watchResources(bus, selection, flags, io);
          const client = new ConfigClient(bus);
          const { resources, failures } = await withProgress(io, "Asking Pilot", () => read(client, selection, flags));
          const only = selection.named?.length === 1 ? resources[0] : undefined;
          if (failures.length === 0 || resources.length > 0) {
            const text = renderResources(only ?? resources, flags.output, Date.now());
            if (text !== "") io.out(text);
            else if (flags.output !== "name") io.err(`No resources found${whereOf(selection, flags)}.`);
          }
          for (const failure of failures) io.err(failure);
          return failures.length === 0 ? EXIT.ok : EXIT.failed;
        });
      }),
    );
  },
};

function whereOf({ kinds }: Selection, flags: SelectionFlags): string {
  if (flags.allNamespaces === true) return "";
  const [only, ...others] = new Set(kinds.map(({ namespaceDefault }) => flags.namespace ?? namespaceDefault));
  return only === undefined || others.length > 0 ? "" : ` in namespace ${only}`;
}

async function read(
  client: ConfigClient,
  { kinds, named }: Selection,
  flags: SelectionFlags,
): Promise<{ readonly resources: readonly Resource[]; readonly failures: readonly string[] }> {
  if (named === undefined) return { resources: await listSelected(client, kinds, flags), failures: [] };
  const resources: Resource[] = [];
  const failures: string[] = [];
  for (const { definition, name } of named) {
    const key = { kind: definition.kind, namespace: flags.namespace ?? definition.namespaceDefault, name };
    try {
      resources.push(await client.get(key));
    } catch (error) {
      // Alone, the error is the command's.
      if (named.length === 1) throw error;
      failures.push(`cannot get ${formatKey(key)}: ${errorMessage(error)}`);
    }
  }
  return { resources, failures };
}
