import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { parse } from "yaml";
import { errorMessage } from "../../shared/base/index.ts";
import { Subjects, type WorkloadUser } from "../../shared/wire/index.ts";
import { type BusConfigOptions, writeBusConfig } from "../bus-config.ts";
import type { CommandDefinition } from "../command.ts";
import { EXIT, UsageError } from "../io.ts";
import { withOutputOption } from "../options.ts";

interface BusConfigFlags {
  readonly out: string;
  readonly workloads?: string;
  readonly workload: readonly WorkloadUser[];
  readonly meshPrefix: string;
  readonly natsUrl: string;
  readonly listen: string;
  readonly storeDir: string;
  readonly http?: string;
  readonly output: "short" | "json";
  readonly owner?: BusConfigOptions["owner"];
}

/** The NATS server's configuration, and credentials for everybody who connects to it. */
export const BUS_CONFIG: CommandDefinition = {
  name: "bus-config",
  group: "Mesh",
  summary: "write nats.conf and one credentials file per user; passwords that are there already are kept",
  examples: [
    {
      what: "For a server on this machine, with one sidecar and one gateway",
      line: "lateen bus-config --out bus --workload default/reviews/reviews --workload istio-system/ingress/ingress:gateway",
    },
    {
      what: "Workloads from a file; the server's monitoring on loopback",
      line: "lateen bus-config --out bus --workloads workloads.yaml --http 127.0.0.1:8222",
    },
  ],
  define(command, { io, run }) {
    const collect = (value: string, before: readonly WorkloadUser[]) => [...before, parseWorkload(value)];
    command
      .requiredOption("--out <dir>", "where to: <dir>/nats/nats.conf and <dir>/<user>/credentials.env")
      .option("--workloads <file>", "YAML list of {namespace, serviceAccount, service, gateway?}")
      .option(
        "--workload <ns/sa/service>",
        "one workload; :gateway after it for a gateway; may be repeated",
        collect,
        [],
      )
      .option("--mesh-prefix <prefix>", "first token of every subject", io.env["MESH_PREFIX"] ?? "mesh")
      .option(
        "--nats-url <url>",
        "what the credentials files name as the server",
        io.env["NATS_URL"] ?? "nats://127.0.0.1:4222",
      )
      .option("--listen <host:port>", "where the server listens", "0.0.0.0:4222")
      .option("--store-dir <dir>", "where the server keeps its streams", "/data/jetstream")
      .option("--http <host:port>", "the server's monitoring endpoints, none by default; keep them on loopback")
      .option("--owner <uid:gid>", "who may read the credentials, when run by root", parseOwner);
    withOutputOption(command, ["short", "json"]).action((flags: BusConfigFlags) =>
      run(async () => {
        const workloads = [...(flags.workloads === undefined ? [] : readWorkloads(flags.workloads)), ...flags.workload];
        const users = writeBusConfig({
          outDir: flags.out,
          subjects: new Subjects(flags.meshPrefix),
          workloads,
          natsUrl: flags.natsUrl,
          listen: flags.listen,
          storeDir: flags.storeDir,
          ...(flags.http === undefined ? {} : { http: flags.http }),
          ...(flags.owner === undefined ? {} : { owner: flags.owner }),
        });
        const written = {
          configuration: join(flags.out, "nats/nats.conf"),
          credentials: users.map((user) => ({ user, file: join(flags.out, user, "credentials.env") })),
        };
        io.out(
          flags.output === "json"
            ? JSON.stringify(written, undefined, 2)
            : `Wrote nats.conf and the credentials of ${users.length} users below ${flags.out}`,
        );
        return EXIT.ok;
      }),
    );
  },
};

function parseOwner(text: string): { uid: number; gid: number } {
  const parts = /^(\d+):(\d+)$/.exec(text);
  if (parts === null) throw new InvalidArgumentError("use numbers, such as 1000:1000");
  return { uid: Number(parts[1]), gid: Number(parts[2]) };
}

function parseWorkload(text: string): WorkloadUser {
  const [names = "", flag, ...rest] = text.split(":");
  const [namespace, serviceAccount, service, ...more] = names.split("/");
  const isGateway = flag === "gateway";
  if (
    !namespace ||
    !serviceAccount ||
    !service ||
    more.length > 0 ||
    rest.length > 0 ||
    (flag !== undefined && !isGateway)
  ) {
    throw new InvalidArgumentError("use namespace/service account/service, such as default/bookinfo-reviews/reviews");
  }
  return { namespace, serviceAccount, service, ...(isGateway ? { gateway: true } : {}) };
}

function readWorkloads(file: string): readonly WorkloadUser[] {
  let value: unknown;
  try {
    value = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${errorMessage(error)}`);
  }
  if (!Array.isArray(value)) throw new UsageError(`${file}: not a list of workloads`);
  return value.map((item: unknown, index) => {
    if (isWorkload(item)) return item;
    throw new UsageError(
      `${file}: workload ${index + 1} needs namespace, serviceAccount and service, and gateway is true or false`,
    );
  });
}

function isWorkload(value: unknown): value is WorkloadUser {
  if (typeof value !== "object" || value === null) return false;
  const { namespace, serviceAccount, service, gateway = false } = value as Record<string, unknown>;
  return (
    [namespace, serviceAccount, service].every((name) => typeof name === "string" && name !== "") &&
    typeof gateway === "boolean"
  );
}
