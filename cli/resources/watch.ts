import { ConfigClient, type ConfigEvent, ConfigWatch } from "../../client/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { formatKey, keyOf, type Resource } from "../../shared/model/index.ts";
import { type CliIo, EXIT } from "../io.ts";
import { columnsOf } from "./columns.ts";
import { type ResourceFormat, renderYaml, shortName } from "./output.ts";
import { isSelected, type Selection, type SelectionFlags } from "./selection.ts";

interface WatchFlags extends SelectionFlags {
  readonly output: ResourceFormat;
  readonly watchOnly?: boolean;
}

type Change = "ADDED" | "MODIFIED" | "DELETED";

/** Changes until Ctrl-C, one a line (YAML: one a document). What does not fit a selector any more counts as deleted. */
export async function watchResources(bus: Bus, selection: Selection, flags: WatchFlags, io: CliIo): Promise<number> {
  const { kinds, named } = selection;
  const [only] = kinds.length === 1 && named?.length === 1 ? named : [];
  const watch = new ConfigWatch(bus, new ConfigClient(bus), {
    kinds: kinds.map(({ kind }) => kind),
    ...(flags.namespace !== undefined && { namespace: flags.namespace }),
    ...(only !== undefined && { name: only.name }),
    initial: flags.watchOnly !== true,
    signal: io.signal,
  });
  const write = writerOf(selection, flags, io);
  const shown = new Map<string, Resource>();
  for await (const event of watch) {
    if (event.type === "synced" || !isSelected(event.resource, selection, flags)) continue;
    const [change, resource] = judged(event, shown, flags);
    if (change !== undefined && resource !== undefined) write(change, resource);
  }
  return EXIT.ok;
}

/** What to show of an event, and of which resource: of a deleted one, what it was. */
function judged(
  event: Exclude<ConfigEvent, { type: "synced" }>,
  shown: Map<string, Resource>,
  { selector }: WatchFlags,
): readonly [Change | undefined, Resource | undefined] {
  const { resource } = event;
  const key = formatKey({ kind: resource.kind, namespace: resource.metadata.namespace, name: resource.metadata.name });
  const before = shown.get(key);
  if (event.type === "deleted") {
    shown.delete(key);
    if (before === undefined && selector !== undefined) return [undefined, undefined];
    const metadata = { ...before?.metadata, ...event.resource.metadata };
    return ["DELETED", { spec: {}, ...before, apiVersion: event.resource.apiVersion, kind: resource.kind, metadata }];
  }
  if (selector === undefined || selector(event.resource.metadata.labels ?? {})) {
    shown.set(key, event.resource);
    return [
      event.type === "added" || (selector !== undefined && before === undefined) ? "ADDED" : "MODIFIED",
      event.resource,
    ];
  }
  shown.delete(key);
  return [before === undefined ? undefined : "DELETED", before];
}

function writerOf(
  { kinds }: Selection,
  { output }: WatchFlags,
  io: CliIo,
): (change: Change, resource: Resource) => void {
  switch (output) {
    case "json":
      return (type, object) => io.out(JSON.stringify({ type, object }));
    case "yaml":
      return (change, resource) => io.out(`---\n# ${change}\n${renderYaml(resource).trimEnd()}`);
    default:
      return tableWriter(kinds.length > 1, output === "wide", io);
  }
}

/** Rows come one by one, so columns widen as they need to; a new kind gets a header of its own. */
function tableWriter(isMixed: boolean, isWide: boolean, io: CliIo): (change: Change, resource: Resource) => void {
  const widths = new Map<string, number[]>();
  let lastKind = "";
  const line = (kind: string, cells: readonly string[]) => {
    const known = widths.get(kind) ?? [];
    widths.set(
      kind,
      cells.map((cell, column) => Math.max(cell.length, known[column] ?? 0)),
    );
    io.out(
      cells
        .map((cell, column) => cell.padEnd(widths.get(kind)?.[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  };
  return (change, resource) => {
    const { kind } = keyOf(resource);
    const columns = columnsOf(kind, Date.now(), isWide);
    const name = isMixed ? shortName(resource) : resource.metadata.name;
    const cells = [change.padEnd("MODIFIED".length), name, ...columns.map(({ cell }) => cell(resource))];
    if (kind !== lastKind) {
      const header = ["EVENT   ", "NAME", ...columns.map((column) => column.header)];
      const wanted = header.map((title, column) => Math.max(title.length, cells[column]?.length ?? 0));
      widths.set(
        kind,
        wanted.map((width, column) => Math.max(width, widths.get(kind)?.[column] ?? 0)),
      );
      line(kind, header);
    }
    lastKind = kind;
    line(kind, cells);
  };
}
