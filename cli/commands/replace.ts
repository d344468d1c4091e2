import { type ApplyResult, type ConfigClient, NotFoundError } from "../../client/index.ts";
import { isPlatformDocument } from "../../shared/analysis/index.ts";
import type { CommandDefinition } from "../command.ts";
import {
  type DocumentFile,
  type FileDocument,
  inNamespace,
  keyOfDocument,
  parseDocuments,
  readDocumentFiles,
  revisionGiven,
  withRevision,
} from "../documents.ts";
import { type CliIo, UsageError } from "../io.ts";
import { withSubmitOptions } from "../options.ts";
import { edited, isEmpty, type Submission, type SubmitFlags, submit } from "../submission.ts";

/** Like apply, for what exists already; what somebody else changes meanwhile is not lost. */
export const REPLACE: CommandDefinition = {
  name: "replace",
  group: "Configuration",
  summary: "change configuration that exists; refused where it does not",
  about:
    "Replaces configuration that exists. A document with metadata.resourceVersion is refused when the resource is at another revision; one without replaces the revision that is there when the command starts.",
  examples: [
    { what: "Replace what a file holds", line: "lateen replace -f rule.yaml" },
    {
      what: "Edit what the mesh has; refused if somebody else changed it meanwhile",
      line: "lateen get routerule reviews-default -o yaml | sed s/v1/v2/ | lateen replace -f -",
    },
  ],
  define(command, { io, run }) {
    withSubmitOptions(command).action((flags: SubmitFlags) =>
      run(async () => {
        const files = await readDocumentFiles(flags, io);
        const prepare = async (client: ConfigClient) => {
          const submissions: Submission[] = [];
          for (const file of files) submissions.push(await expecting(file, flags.namespace, client, io));
          if (isEmpty(submissions)) throw new UsageError("nothing to replace");
          return submissions;
        };
        return submit(io, flags, prepare, explainMissing);
      }),
    );
  },
};

/** No revision is that high: what does not exist is refused by Pilot like what has changed. */
const NONE = "4294967295";

/** Every document with the revision that it is to replace. */
async function expecting(
  file: DocumentFile,
  namespace: string | undefined,
  client: ConfigClient,
  io: CliIo,
): Promise<Submission> {
  const revisions = new Map<number, string>();
  for (const document of parseDocuments(file)) {
    if ("errors" in document || isPlatformDocument(document.value) || revisionGiven(document) !== undefined) continue;
    revisions.set(document.place, await currentRevision(document, namespace, client));
  }
  return edited(file, io, (document) => {
    const placed = namespace === undefined ? document : inNamespace(document, namespace);
    const resourceVersion = revisions.get(document.place);
    return resourceVersion === undefined ? placed : withRevision(placed, resourceVersion);
  });
}

async function currentRevision(
  document: FileDocument,
  namespace: string | undefined,
  client: ConfigClient,
): Promise<string> {
  try {
    const { metadata } = await client.get(keyOfDocument(document, namespace));
    return metadata.resourceVersion ?? NONE;
  } catch (error) {
    if (error instanceof NotFoundError) return NONE;
    throw error;
  }
}

/** What Pilot sees as a stale revision is, to who named none, that it is not there. */
function explainMissing(result: ApplyResult): ApplyResult {
  const errors = result.errors.map((error) =>
    error.path === "metadata.resourceVersion" && error.value === NONE
      ? {
          ...error,
          path: "metadata.name",
          value: result.name,
          reason: "does not exist",
          remedy: "use create or apply to make it",
        }
      : error,
  );
  return { ...result, errors };
}
