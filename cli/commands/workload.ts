import { ConfigClient } from "../../client/index.ts";
import { parseSubmission } from "../../shared/model/documents.ts";
import {
  createKindRegistry,
  isKind,
  type ParsedResource,
  specOf,
  WORKLOAD_GROUP,
  type WorkloadGroupSpec,
} from "../../shared/model/index.ts";
import type { CommandDefinition, SubcommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { type FileFlags, readDocumentFiles } from "../documents.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { withConnectionOptions, withFilenameOption, withOutputOption } from "../options.ts";
import { type MachineFlags, workloadSettings } from "../workload-settings.ts";

interface ConfigureFlags extends ConnectionFlags, MachineFlags, FileFlags {
  readonly namespace: string;
  readonly output: "env" | "json";
}

interface NamedGroup {
  readonly namespace: string;
  readonly name: string;
  readonly spec: WorkloadGroupSpec;
}

const CONFIGURE: SubcommandDefinition = {
  name: "configure",
  summary: "write the settings of the proxy that serves a machine of a WorkloadGroup",
  about:
    "Turns a WorkloadGroup, of the mesh or of a file, into the environment of a proxy: identity, labels, ports and how the application's health is asked. Credentials for the bus come from bus-config.",
  examples: [
    {
      what: "Settings for a virtual machine of group ratings-vm",
      line: "lateen workload configure ratings-vm --instance vm-7 --address 10.0.0.7 > proxy.env",
    },
    {
      what: "The same from a file, without a mesh",
      line: "lateen workload configure -f docs/reference/examples/workloadgroup.yaml",
    },
  ],
  define(command, { io, run }) {
    command
      .argument("[group]", "name of the WorkloadGroup; with -f the only one there by default")
      .option("-n, --namespace <namespace>", "namespace of the group", "default")
      .option("--service <service>", "what the instances serve (default: label app)")
      .option("--instance <name>", "name of this machine in the mesh")
      .option("--address <address>", "address that other proxies connect to");
    withConnectionOptions(withOutputOption(withFilenameOption(command), ["env", "json"])).action(
      (name: string | undefined, flags: ConfigureFlags) =>
        run(async () => {
          const group = flags.filename.length > 0 ? await fromFiles(name, flags, io) : await fromMesh(name, flags, io);
          const { settings, notes } = workloadSettings(group, group.spec, flags);
          for (const note of notes) io.err(`Note: ${note}`);
          io.out(
            flags.output === "json"
              ? JSON.stringify(settings, undefined, 2)
              : Object.entries(settings)
                  .map(([variable, value]) => `${variable}=${value}`)
                  .join("\n"),
          );
          return EXIT.ok;
        }),
    );
  },
};

/** Machines beside a mesh of containers. */
export const WORKLOAD: CommandDefinition = {
  name: "workload",
  group: "Components",
  summary: "settings for workloads on machines of their own",
  examples: CONFIGURE.examples,
  subcommands: [CONFIGURE],
};

async function fromMesh(name: string | undefined, flags: ConfigureFlags, io: CliIo): Promise<NamedGroup> {
  if (name === undefined) throw new UsageError("say which WorkloadGroup, or give a file with -f");
  const key = { kind: WORKLOAD_GROUP.kind, namespace: flags.namespace, name };
  const resource = await withBus(flags, io, (bus) => new ConfigClient(bus).get(key));
  return { namespace: flags.namespace, name, spec: specOf(WORKLOAD_GROUP, resource) };
}

async function fromFiles(name: string | undefined, flags: ConfigureFlags, io: CliIo): Promise<NamedGroup> {
  const files = await readDocumentFiles(flags, io);
  const groups = files.flatMap(({ name: file, text }) =>
    parseSubmission(text, createKindRegistry()).flatMap((document): ParsedResource<WorkloadGroupSpec>[] => {
      if (document.ok) return isKind(document.parsed, WORKLOAD_GROUP) ? [document.parsed] : [];
      if (document.kind !== WORKLOAD_GROUP.kind) return [];
      const [error] = document.errors;
      throw new UsageError(`${file}: ${error?.path}: ${error?.reason}; ${error?.remedy}`);
    }),
  );
  const wanted = groups.filter(({ resource }) => name === undefined || resource.metadata.name === name);
  const [group, ...more] = wanted;
  if (group === undefined) throw new UsageError(`no WorkloadGroup ${name ?? ""} in ${flags.filename.join(", ")}`);
  if (more.length > 0) throw new UsageError("the files have several WorkloadGroups: say which");
  const { metadata } = group.resource;
  return { namespace: metadata.namespace, name: metadata.name, spec: group.parsed };
}
