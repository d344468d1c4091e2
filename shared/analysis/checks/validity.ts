import { formatKey } from "../../model/index.ts";
import { DEPRECATED_FIELD, DEPRECATED_KIND } from "../codes/deprecations.ts";
import { DOUBTFUL_FIELD, DUPLICATE_RESOURCE, INVALID_RESOURCE } from "../codes/validity.ts";
import type { Report } from "../message.ts";
import type { AnalysedResource } from "../world.ts";

/** Kinds of Istio 0.x, and what has replaced them. */
const REPLACED: Readonly<Record<string, string>> = {
  RouteRule: "VirtualService",
  DestinationPolicy: "DestinationRule",
  EgressRule: "ServiceEntry",
  IngressRule: "Gateway and VirtualService",
};

/** What each resource is by itself. Returns those that are analysed further: of two with one name, the later. */
export function checkValidity(resources: readonly AnalysedResource[], report: Report): readonly AnalysedResource[] {
  const byKey = new Map<string, AnalysedResource>();
  for (const resource of resources) {
    const { key, parsed, errors } = resource;
    for (const { path, reason, remedy } of errors) report.add(INVALID_RESOURCE, key, path, reason, remedy);
    for (const { path, reason, remedy } of parsed?.warnings ?? []) {
      const isDeprecated = /\bdeprecated\b/i.test(reason);
      report.add(isDeprecated ? DEPRECATED_FIELD : DOUBTFUL_FIELD, key, path, reason, remedy);
    }
    const newer = REPLACED[key.kind];
    if (parsed !== undefined && newer !== undefined)
      report.add(DEPRECATED_KIND, key, "kind", `a kind of Istio 0.x; its successor is ${newer}`);
    if (key.name === "") continue;
    const id = formatKey(key);
    const first = byKey.get(id);
    if (first !== undefined) {
      const where = first.origin === undefined ? "" : ` in ${first.origin}`;
      report.add(DUPLICATE_RESOURCE, key, "metadata.name", `another ${key.kind} of this name stands before it${where}`);
    }
    byKey.set(id, resource);
  }
  return [...byKey.values()];
}
