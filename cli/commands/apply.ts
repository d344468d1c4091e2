import type { CommandDefinition } from "../command.ts";
import { inNamespace, isOfTheMesh, readDocumentFiles } from "../documents.ts";
import { UsageError } from "../io.ts";
import { withSubmitOptions } from "../options.ts";
import { edited, isEmpty, type SubmitFlags, submit } from "../submission.ts";

/** Creates or updates; a file's documents go together and each is judged alone. */
export const APPLY: CommandDefinition = {
  name: "apply",
  group: "Configuration",
  summary: "create or update configuration from files, folders or standard input (-)",
  about:
    "Creates or updates configuration. Each document is judged alone: one that is refused changes nothing, and takes no other along. Objects of Kubernetes among them (Services, Deployments) are left out.",
  examples: [
    { what: "Apply a file, and return when it is in force everywhere", line: "lateen apply -f rule.yaml --wait" },
    { what: "Every YAML and JSON file of a folder", line: "lateen apply -f rules/" },
    { what: "Judge only, with the mesh as it is now", line: "lateen apply -f rule.yaml --dry-run" },
    { what: "From another program", line: "cat rule.yaml | lateen apply -f -" },
  ],
  define(command, { io, run }) {
    withSubmitOptions(command).action((flags: SubmitFlags) =>
      run(async () => {
        const files = await readDocumentFiles(flags, io);
        const { namespace } = flags;
        const submissions = files.map((file) =>
          namespace === undefined && isOfTheMesh(file)
            ? { file: file.name, text: file.text, refused: [] }
            : edited(file, io, (document) => (namespace === undefined ? document : inNamespace(document, namespace))),
        );
        if (isEmpty(submissions)) throw new UsageError("nothing to apply");
        return submit(io, flags, submissions, (result) => result);
      }),
    );
  },
};
