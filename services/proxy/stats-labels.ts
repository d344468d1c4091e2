import type { Peer, RequestRecord } from "./stream/record.ts";

/** Longest value of a label: names of peers are their own word. */
const MAX_VALUE_LENGTH = 128;
const CANONICAL_NAME = "service.istio.io/canonical-name";
const CANONICAL_REVISION = "service.istio.io/canonical-revision";
const UNKNOWN = "unknown";

/** The labels of Istio's standard metrics, in its order, as a line of the text format has them between braces. */
export function standardLabels(record: RequestRecord): string {
  const { source, destination, side } = record;
  return pairs([
    ["reporter", side === "inbound" ? "destination" : "source"],
    ["source_workload", source.workload || UNKNOWN],
    ["source_canonical_service", canonicalService(source)],
    ["source_canonical_revision", canonicalRevision(source)],
    ["source_workload_namespace", source.namespace || UNKNOWN],
    ["source_principal", source.principal || UNKNOWN],
    ["source_app", source.labels["app"] || UNKNOWN],
    ["source_version", source.labels["version"] || UNKNOWN],
    ["source_cluster", UNKNOWN],
    ["destination_workload", destination.workload || UNKNOWN],
    ["destination_workload_namespace", destination.namespace || UNKNOWN],
    ["destination_principal", destination.principal || UNKNOWN],
    ["destination_app", destination.labels["app"] || UNKNOWN],
    ["destination_version", destination.labels["version"] || UNKNOWN],
    // Hosts that are no service come from requests: their names are no labels.
    ["destination_service", (destination.service !== "" && destination.host) || UNKNOWN],
    ["destination_canonical_service", canonicalService(destination)],
    ["destination_canonical_revision", canonicalRevision(destination)],
    ["destination_service_name", destination.service || unnamed(record)],
    ["destination_service_namespace", destination.namespace || UNKNOWN],
    ["destination_cluster", UNKNOWN],
    ["request_protocol", "http"],
    ["response_code", String(record.status)],
    ["grpc_response_status", ""],
    ["response_flags", record.flags || "-"],
    ["connection_security_policy", securityPolicy(record)],
  ]);
}

/** What requests are counted under when there are too many label sets. */
export function otherLabels(record: RequestRecord): string {
  return pairs([["reporter", record.side === "inbound" ? "destination" : "source"]]);
}

/** The same, told from the standard labels. */
export function otherLabelsOf(labels: string): string {
  return labels.slice(0, labels.indexOf('",') + 1);
}

function canonicalService({ labels, workload }: Peer): string {
  return labels[CANONICAL_NAME] || labels["app"] || workload || UNKNOWN;
}

function canonicalRevision({ labels }: Peer): string {
  return labels[CANONICAL_REVISION] || labels["version"] || "latest";
}

/** Istio's names of where requests go that go to no service. */
function unnamed({ route, status }: RequestRecord): string {
  if (route === "passthrough") return "PassthroughCluster";
  return status === 502 ? "BlackHoleCluster" : UNKNOWN;
}

/** Only the receiving side knows for certain. */
function securityPolicy({ side, mutualTls }: RequestRecord): string {
  if (side === "outbound") return UNKNOWN;
  return mutualTls ? "mutual_tls" : "none";
}

function pairs(labels: readonly (readonly [string, string])[]): string {
  return labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(",");
}

function escaped(value: string): string {
  return value.slice(0, MAX_VALUE_LENGTH).replace(/[\\"\n]/g, (each) => (each === "\n" ? "\\n" : `\\${each}`));
}
