import type { ApplyResult } from "../../client/index.ts";
import type { CommandDefinition } from "../command.ts";
import { inNamespace, readDocumentFiles, withRevision } from "../documents.ts";
import { UsageError } from "../io.ts";
import { withSubmitOptions } from "../options.ts";
import { edited, isEmpty, type SubmitFlags, submit } from "../submission.ts";

/** Like apply, for what does not exist yet. */
export const CREATE: CommandDefinition = {
  name: "create",
  group: "Configuration",
  summary: "create configuration; refused where it exists already",
  examples: [
    { what: "Create what a file holds", line: "lateen create -f rule.yaml" },
    { what: "In a namespace, where the file names none", line: "lateen create -f rule.yaml -n shop" },
  ],
  define(command, { io, run }) {
    withSubmitOptions(command).action((flags: SubmitFlags) =>
      run(async () => {
        const files = await readDocumentFiles(flags, io);
        const { namespace } = flags;
        const submissions = files.map((file) =>
          edited(file, io, (document) =>
            withRevision(namespace === undefined ? document : inNamespace(document, namespace), NOT_THERE_YET),
          ),
        );
        if (isEmpty(submissions)) throw new UsageError("nothing to create");
        return submit(io, flags, submissions, explainExisting);
      }),
    );
  },
};

/** What Pilot takes as: there must be none. */
const NOT_THERE_YET = "0";

/** What Pilot sees as a stale revision is, to who asked for something new, that it exists. */
function explainExisting(result: ApplyResult): ApplyResult {
  const errors = result.errors.map((error) =>
    error.path === "metadata.resourceVersion" && error.value === "0"
      ? {
          ...error,
          path: "metadata.name",
          value: result.name,
          reason: "exists already",
          remedy: "use apply to change it",
        }
      : error,
  );
  return { ...result, errors };
}
