import type { WorkloadEntrySpec, WorkloadGroupSpec, WorkloadProbeSpec } from "../shared/model/index.ts";
import { UsageError } from "./io.ts";

/** What a machine of a WorkloadGroup adds to it. */
export interface MachineFlags {
  readonly service?: string;
  readonly instance?: string;
  readonly address?: string;
}

export interface WorkloadSettings {
  /** Environment variables of the proxy, in the order in which people read them. */
  readonly settings: Readonly<Record<string, string>>;
  /** What of the group has no place in them. */
  readonly notes: readonly string[];
}

/** A port of which the name says no protocol is taken to be HTTP, as one that says so. */
const OTHER_PROTOCOL = /^(?:grpc|http2|https|tls|tcp|udp|mongo|mysql|redis)(?:-|$)/;

/**
 * The settings of the proxy that serves one machine of a WorkloadGroup: what Istio keeps in the group and a machine's agent
 * reads, a proxy here is started with. Throws UsageError when the group and the flags leave open which service it is of.
 */
export function workloadSettings(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { labels, template, probe }: WorkloadGroupSpec,
  flags: MachineFlags,
): WorkloadSettings {
  const all = { ...labels, ...template.labels };
  const service = flags.service ?? all["app"];
  if (service === undefined || service === "")
    throw new UsageError(
      `WorkloadGroup ${namespace}/${name} has no label app: say with --service what its instances serve`,
    );
  const { ports, notes } = portsOf(template);
  const optional: Readonly<Record<string, string>> = {
    MESH_INSTANCE: flags.instance ?? "",
    MESH_ADDRESS: flags.address ?? template.address,
    MESH_LOCALITY: template.locality,
    MESH_WEIGHT: template.weight > 1 ? String(template.weight) : "",
    MESH_PORTS: ports,
    ...(probe && probeSettings(probe)),
  };
  return {
    settings: {
      MESH_NAMESPACE: namespace,
      MESH_SERVICE_ACCOUNT: template.serviceAccount || "default",
      MESH_SERVICE: service,
      MESH_WORKLOAD: name,
      MESH_LABELS: Object.entries(all)
        .map(([label, value]) => `${label}=${value}`)
        .sort()
        .join(","),
      ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== "")),
    },
    notes:
      template.network === "" ? notes : [...notes, "its network is left out: every network is taken to be reachable"],
  };
}

/** The application listens on loopback at the port that the group names, and is known by the same number. */
function portsOf({ ports }: WorkloadEntrySpec): { ports: string; notes: string[] } {
  const entries = Object.entries(ports);
  const others = entries.filter(([name]) => OTHER_PROTOCOL.test(name));
  return {
    ports: entries
      .filter(([name]) => !OTHER_PROTOCOL.test(name))
      .map(([, port]) => `${port}:http=127.0.0.1:${port}`)
      .join(","),
    notes: others.map(([name, port]) => `port ${port} (${name}) is left out: a sidecar serves HTTP only so far`),
  };
}

function probeSettings(probe: WorkloadProbeSpec): Record<string, string> {
  const { kind, port, path, periodMs, timeoutMs, failureThreshold, successThreshold } = probe;
  const urls = {
    http: `http://127.0.0.1:${port}${path}`,
    tcp: `tcp://127.0.0.1:${port}`,
    grpc: `grpc://127.0.0.1:${port}${path === "" ? "" : `/${path}`}`,
  };
  return {
    HEALTH_URL: urls[kind],
    HEALTH_PERIOD_MS: String(periodMs),
    HEALTH_TIMEOUT_MS: String(timeoutMs),
    HEALTH_FAILURES: String(failureThreshold),
    HEALTH_SUCCESSES: String(successThreshold),
  };
}
