import { isPlatformDocument } from "../../shared/analysis/index.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { createKindRegistry, type FieldError, formatKey } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import type { CommandDefinition } from "../command.ts";
import {
  type DocumentFile,
  type FileDocument,
  type FileFlags,
  inNamespace,
  parseDocuments,
  readDocumentFiles,
  type UnreadableDocument,
} from "../documents.ts";
import { EXIT, UsageError } from "../io.ts";
import { withFilenameOption, withOutputOption } from "../options.ts";
import { type Palette, palette, renderFieldError } from "../render.ts";

/** What was found in one document. What it names in others is not looked at: that is `lateen analyze`. */
interface Verdict {
  readonly file: string;
  /** Place in the file, from 0; the items of a list count one by one. */
  readonly document: number;
  /** "" where it could not be read; so with the next two. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly valid: boolean;
  readonly errors: readonly FieldError[];
  readonly warnings: readonly FieldError[];
}

interface ValidateFlags extends FileFlags {
  readonly namespace?: string;
  readonly output: string;
}

/** Judges documents as Pilot would, without a mesh. */
export const VALIDATE: CommandDefinition = {
  name: "validate",
  group: "Configuration",
  summary: "judge configuration without a mesh",
  about:
    "Judges documents as the mesh would: syntax, every field, every value, and what ties them together in one document. Objects of Kubernetes among them are passed over. " +
    "Needs no mesh. What a document names in others (services, subsets, gateways, handlers) is not looked for.",
  examples: [
    { what: "Judge a file", line: "lateen validate -f rule.yaml" },
    { what: "Judge every file of a folder, for a pipeline", line: "lateen validate -f rules/ -o json" },
    { what: "Judge what another program makes", line: "helm template . | lateen validate -f -" },
  ],
  exitCodes: { 0: "every document is valid", 1: "some document is not valid", 2: "the command line is wrong" },
  define(command, { io, run }) {
    withOutputOption(withFilenameOption(command), ["short", "json"])
      .option("-n, --namespace <namespace>", "namespace of documents that name none")
      .action((flags: ValidateFlags) =>
        run(async () => {
          const files = await readDocumentFiles(flags, io);
          const verdicts = files.flatMap((file) => verdictsOf(file, flags.namespace));
          if (verdicts.length === 0)
            throw new UsageError(`no documents in ${files.map(({ name }) => name).join(", ")}`);
          const bad = verdicts.filter(({ valid }) => !valid);
          if (flags.output === "json") io.out(JSON.stringify(verdicts, undefined, 2));
          else for (const verdict of verdicts) io.out(render(verdict, palette(io.colours)));
          if (flags.output !== "json") io.out(summary(verdicts.length, bad.length));
          return bad.length > 0 ? EXIT.failed : EXIT.ok;
        }),
      );
  },
};

const REGISTRY = createKindRegistry(POLICY_KINDS);

function verdictsOf(file: DocumentFile, namespace: string | undefined): readonly Verdict[] {
  return parseDocuments(file).map((document) => {
    if ("errors" in document) return unreadable(document);
    return judge(namespace === undefined ? document : inNamespace(document, namespace));
  });
}

function unreadable({ file, place, errors }: UnreadableDocument): Verdict {
  return { file, document: place, kind: "", namespace: "", name: "", valid: false, errors, warnings: [] };
}

const NOT_OURS: FieldError = {
  path: "kind",
  value: null,
  reason: "an object of Kubernetes: not judged",
  remedy: "apply it with kubectl",
};

function judge({ file, place, value }: FileDocument): Verdict {
  const judged = parseResource(value, REGISTRY, place);
  const { document, kind, namespace, name } = judged;
  if (isPlatformDocument(value)) {
    const errors: readonly FieldError[] = [];
    return { file, document, kind, namespace, name, valid: true, errors, warnings: [NOT_OURS] };
  }
  const found = judged.ok
    ? { valid: true, errors: [], warnings: judged.parsed.warnings ?? [] }
    : { valid: false, errors: judged.errors, warnings: judged.warnings ?? [] };
  return { file, document, kind, namespace, name, ...found };
}

function render({ file, document, errors, warnings, valid, ...key }: Verdict, colours: Palette): string {
  const what = key.kind === "" || key.name === "" ? `document ${document + 1}` : formatKey(key);
  const state = valid ? colours.good("valid") : colours.bad("invalid");
  const parts = [
    ...errors.map((error) => renderFieldError(error, colours)),
    ...warnings.map((warning) => renderFieldError(warning, colours, "warning: ")),
  ];
  return `${file}: ${what}: ${state}${parts.join("")}`;
}

function summary(total: number, bad: number): string {
  const documents = total === 1 ? "1 document" : `${total} documents`;
  return bad === 0 ? `${documents}, all valid` : `${documents}, ${bad} not valid`;
}
