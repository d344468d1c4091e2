import { stringify } from "yaml";
import { formatKey, keyOf, type Resource } from "../../shared/model/index.ts";
import { renderTable } from "../render.ts";
import { columnsOf } from "./columns.ts";

export const RESOURCE_FORMATS = ["short", "wide", "yaml", "json", "name"] as const;
export type ResourceFormat = (typeof RESOURCE_FORMATS)[number];

/** `resources` as a list, or one alone: then JSON is the resource itself, whatever a list happens to hold. */
export function renderResources(
  resources: readonly Resource[] | Resource,
  format: ResourceFormat,
  nowMs: number,
): string {
  const all = "kind" in resources ? [resources] : resources;
  switch (format) {
    case "json":
      return JSON.stringify("kind" in resources ? resources : { items: resources }, undefined, 2);
    case "yaml":
      return all.map(renderYaml).join("---\n").trimEnd();
    case "name":
      return sorted(all).map(shortName).join("\n");
    default:
      return all.length === 0 ? "" : renderTables(sorted(all), format === "wide", nowMs);
  }
}

export function renderYaml(resource: object): string {
  return stringify(resource, { lineWidth: 0 });
}

/** `virtualservice/reviews`, as get and delete take it. */
export function shortName({ kind, metadata }: Pick<Resource, "kind" | "metadata">): string {
  return `${kind.toLowerCase()}/${metadata.name}`;
}

/** A table a kind; with several kinds, names carry theirs. */
function renderTables(resources: readonly Resource[], isWide: boolean, nowMs: number): string {
  const byKind = new Map<string, Resource[]>();
  for (const resource of resources) byKind.set(resource.kind, [...(byKind.get(resource.kind) ?? []), resource]);
  return [...byKind]
    .map(([kind, ofKind]) => {
      const columns = columnsOf(kind, nowMs, isWide);
      const nameOf = byKind.size > 1 ? shortName : ({ metadata }: Resource) => metadata.name;
      return renderTable(
        ["NAME", ...columns.map(({ header }) => header)],
        ofKind.map((resource) => [nameOf(resource), ...columns.map(({ cell }) => cell(resource))]),
      );
    })
    .join("\n\n");
}

function sorted(resources: readonly Resource[]): readonly Resource[] {
  return [...resources].sort((a, b) => (formatKey(keyOf(a)) < formatKey(keyOf(b)) ? -1 : 1));
}
