import type { Bus } from "../../shared/bus/index.ts";
import type { AttributeJson, MixerCheckAnswer } from "../../shared/wire/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { type FileFlags, readDocumentFiles } from "../documents.ts";
import { explainRequest } from "../explain/explain.ts";
import type { Explanation } from "../explain/explanation.ts";
import { FileSource } from "../explain/file-source.ts";
import { completeCaller } from "../explain/live-caller.ts";
import { liveRemarks } from "../explain/live-remarks.ts";
import { LiveSource } from "../explain/live-source.ts";
import { renderExplanation } from "../explain/render-explanation.ts";
import { type ExplainedRequest, METHODS, parseRequest, type RequestFlags } from "../explain/request.ts";
import { unlessSilent } from "../explain/silence.ts";
import { type CliIo, EXIT } from "../io.ts";
import { collect, withConnectionOptions, withFilenameOption, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { palette } from "../render.ts";

const MIXER_TIMEOUT_MS = 2_000;

interface ExplainFlags extends ConnectionFlags, RequestFlags, FileFlags {
  readonly output: "text" | "json";
}

/** Why a request goes where it goes. */
export const EXPLAIN: CommandDefinition = {
  name: "explain",
  group: "Traffic",
  summary: "tell where a request would go, and why",
  about:
    "Goes the way of a request as the caller's proxy would: the host's meaning, every rule in its order with why it is passed over or taken, then destinations, endpoints, timeout, retries, faults, rewrites and checks. With -f from files, as Pilot would compile them; else from the running mesh. The JSON is described in docs/explain.md.",
  examples: [
    {
      what: "Which reviews does jason get",
      line: "lateen explain GET http://reviews:9080/reviews/0 -H 'cookie: user=jason' --from productpage",
    },
    {
      what: "The same from files, without a mesh",
      line: "lateen explain GET http://reviews:9080/ -f samples/bookinfo/rules/route-rule-reviews-test-v2.yaml",
    },
    {
      what: "A request from outside",
      line: "lateen explain GET http://bookinfo.example.com/productpage --gateway istio-system/istio-ingress -o json",
    },
  ],
  completes: [METHODS, []],
  exitCodes: { 0: "a route takes the request", 1: "none does, or the mesh cannot be asked", 2: "wrong command line" },
  define(command, { io, run }) {
    command
      .argument("<method>", "such as GET")
      .argument("<url>", "such as http://reviews:9080/reviews/0")
      .option("-H, --header <line>", "a header, 'name: value'; may be repeated", collect, [])
      .option("--from <caller>", "who calls: workload.namespace{label=value,...} (default: namespace default)")
      .option("--gateway <gateway>", "it comes in by this gateway: namespace/name");
    withConnectionOptions(withOutputOption(withFilenameOption(command), ["text", "json"])).action(
      (method: string, url: string, flags: ExplainFlags) =>
        run(async () => {
          const request = parseRequest(method, url, flags);
          if (flags.filename.length === 0) return withBus(flags, io, (bus) => live(request, bus, flags, io));
          const files = await readDocumentFiles(flags, io);
          const source = new FileSource(files, request);
          const explanation = await explainRequest(request, { source });
          return tell(explanation, source.remarks, flags, io);
        }),
    );
  },
};

async function live(asked: ExplainedRequest, bus: Bus, flags: ExplainFlags, io: CliIo): Promise<number> {
  const { request, notes } = await completeCaller(asked, bus);
  const explanation = await withProgress(io, "Reading the mesh", () =>
    explainRequest(request, { source: new LiveSource(bus), ask: (attributes) => askMixer(bus, attributes) }),
  );
  return tell(explanation, [...notes, ...(await liveRemarks(explanation, request, bus))], flags, io);
}

async function askMixer(
  bus: Bus,
  attributes: Readonly<Record<string, AttributeJson>>,
): Promise<MixerCheckAnswer | undefined> {
  const answer = bus.requestJson(bus.subjects.mixerCheck(), { attributes }, { timeoutMs: MIXER_TIMEOUT_MS });
  return (await answer.catch(unlessSilent)) as MixerCheckAnswer | undefined;
}

function tell(explanation: Explanation, remarks: readonly string[], flags: ExplainFlags, io: CliIo): number {
  const told = { ...explanation, notes: [...explanation.notes, ...remarks] };
  io.out(flags.output === "json" ? JSON.stringify(told, undefined, 2) : renderExplanation(told, palette(io.colours)));
  return told.matched ? EXIT.ok : EXIT.failed;
}
