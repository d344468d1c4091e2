import type { KindClass, KindDefinition } from "../kind.ts";
import { CONFIG_API_VERSIONS } from "../resource.ts";
import type { OpenSpec } from "../specs.ts";

/**
 * The kinds of Mixer's adapters and templates. Their parameters and expressions are a matter of the policy layer, which
 * puts full definitions in the place of these; without it, only the envelope is judged and the spec is kept as it is.
 */
function openKind(kind: string, plural: string, kindClass: KindClass, doc: string): KindDefinition<OpenSpec> {
  return {
    kind,
    plural,
    apiVersions: CONFIG_API_VERSIONS,
    namespaceDefault: "default",
    class: kindClass,
    doc,
    parseSpec: (spec) => ({ spec, parsed: spec, errors: [] }),
  };
}

export const OPEN_KINDS: readonly KindDefinition<OpenSpec>[] = [
  openKind("denier", "deniers", "mixer-handler", "A handler that refuses every request it gets."),
  openKind("listchecker", "listcheckers", "mixer-handler", "A handler that looks a value up in a list."),
  openKind("memquota", "memquotas", "mixer-handler", "A handler that counts quotas in the memory of one Mixer."),
  openKind("redisquota", "redisquotas", "mixer-handler", "A handler that counts quotas in Redis, for all Mixers."),
  openKind("prometheus", "prometheuses", "mixer-handler", "A handler that serves metrics to Prometheus."),
  openKind("stdio", "stdios", "mixer-handler", "A handler that writes log entries and metrics as lines."),
  openKind("bus", "buses", "mixer-handler", "A handler that publishes metrics and log entries on the bus."),
  openKind(
    "checknothing",
    "checknothings",
    "mixer-instance",
    "An instance without content, for handlers that need none.",
  ),
  openKind("listentry", "listentries", "mixer-instance", "A value to look up in a list."),
  openKind("quota", "quotas", "mixer-instance", "The dimensions by which a quota is counted."),
  openKind("metric", "metrics", "mixer-instance", "A value with dimensions."),
  openKind("logentry", "logentries", "mixer-instance", "A log entry with variables."),
];
