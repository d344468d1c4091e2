import { Command } from "commander";
import { ConfigClient } from "../config-client.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { resolveKind } from "../documents.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { withConnectionOptions } from "../options.ts";
import { type ResourceFormat, renderResources } from "../render.ts";
import type { RunCommand } from "./apply.ts";

interface GetFlags extends ConnectionFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output: string;
}

const FORMATS: readonly string[] = ["short", "yaml", "json"] satisfies ResourceFormat[];

/** `lateen get KIND [NAME]`: what the mesh holds, as it was applied. */
export function getCommand(io: CliIo, run: RunCommand): Command {
  return withConnectionOptions(new Command("get"))
    .description("show configuration")
    .argument("[kind]", "such as routerule or routerules")
    .argument("[name]")
    .option("-n, --namespace <namespace>", "namespace (default: that of the kind, mostly default)")
    .option("-A, --all-namespaces", "every namespace")
    .option("-o, --output <format>", "short, yaml or json", "short")
    .action((spelling: string | undefined, name: string | undefined, flags: GetFlags) =>
      run(async () => {
        const { kind, namespaceDefault } = resolveKind(spelling);
        if (!isFormat(flags.output))
          throw new UsageError(`unknown output format ${flags.output}. Types are yaml|json|short`);
        const format = flags.output;
        const namespace = flags.namespace ?? namespaceDefault;
        if (name !== undefined && flags.allNamespaces === true)
          throw new UsageError("a name is one namespace's: leave -A or the name out");
        return withBus(flags, io, async (bus) => {
          const client = new ConfigClient(bus);
          const resources =
            name !== undefined
              ? await client.get({ kind, namespace, name })
              : await client.list(flags.allNamespaces === true ? { kind } : { kind, namespace });
          const text = renderResources(resources, format);
          if (text !== "") io.out(text);
          return EXIT.ok;
        });
      }),
    );
}

function isFormat(text: string): text is ResourceFormat {
  return FORMATS.includes(text);
}
