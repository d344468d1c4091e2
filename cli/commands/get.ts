import { ConfigClient } from "../../client/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { resolveKind } from "../documents.ts";
import { EXIT, UsageError } from "../io.ts";
import { withConnectionOptions, withOutputOption } from "../options.ts";
import { type ResourceFormat, renderResources } from "../render.ts";

interface GetFlags extends ConnectionFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output: ResourceFormat;
}

/** What the mesh holds, as it was applied. */
export const GET: CommandDefinition = {
  name: "get",
  group: "Configuration",
  summary: "show configuration",
  examples: [
    { what: "All route rules of namespace default", line: "lateen get routerules" },
    { what: "One, as it can be applied again", line: "lateen get routerule reviews-default -o yaml" },
  ],
  completes: ["kinds", "names"],
  define(command, { io, run }) {
    command
      .argument("[kind]", "such as routerule or routerules")
      .argument("[name]")
      .option("-n, --namespace <namespace>", "namespace (default: that of the kind, mostly default)")
      .option("-A, --all-namespaces", "every namespace");
    withConnectionOptions(withOutputOption(command, ["short", "yaml", "json"])).action(
      (spelling: string | undefined, name: string | undefined, flags: GetFlags) =>
        run(async () => {
          const { kind, namespaceDefault } = resolveKind(spelling);
          const namespace = flags.namespace ?? namespaceDefault;
          if (name !== undefined && flags.allNamespaces === true)
            throw new UsageError("a name is one namespace's: leave -A or the name out");
          return withBus(flags, io, async (bus) => {
            const client = new ConfigClient(bus);
            const resources =
              name !== undefined
                ? await client.get({ kind, namespace, name })
                : await client.list(flags.allNamespaces === true ? { kind } : { kind, namespace });
            const text = renderResources(resources, flags.output);
            if (text !== "") io.out(text);
            return EXIT.ok;
          });
        }),
    );
  },
};
