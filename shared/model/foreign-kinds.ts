/**
 * Files of Istio's users hold more than the mesh's kinds: objects of Kubernetes beside every sample, and kinds of Istio
 * that this mesh has not. "Unknown kind" would send people looking for a typing error; they are told what the document
 * is and what to do about it instead.
 */

const PLATFORM_GROUPS = new Set(["", "apps", "batch", "autoscaling", "policy", "extensions"]);
/** Its routes and gateways are about requests, not about the platform. */
const GATEWAY_API = "gateway.networking.k8s.io";

function groupOf(apiVersion: string): string {
  const slash = apiVersion.lastIndexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** Whether an API version is one of Kubernetes' own: services, workloads, accounts, not the mesh's configuration. */
export function isPlatformVersion(apiVersion: string): boolean {
  const group = groupOf(apiVersion);
  if (group === "") return apiVersion === "v1";
  return PLATFORM_GROUPS.has(group) || (group.endsWith(".k8s.io") && group !== GATEWAY_API);
}

/** Longer kinds are cut. */
const MAX_SHOWN = 63;

/** Its Gateway has a name that the mesh has too. */
export function isOfGatewayApi(apiVersion: string | undefined): boolean {
  return apiVersion?.startsWith(`${GATEWAY_API}/`) === true;
}

interface Hint {
  readonly reason: string;
  readonly remedy: string;
}

const MESH_CONFIG = "write what stands under meshConfig as the spec of a MeshConfig";
const NOT_YET =
  (remedy: string) =>
  (kind: string): Hint => ({ reason: `not supported yet: ${kind}`, remedy });

const GROUPS: Readonly<Record<string, (kind: string) => Hint>> = {
  "install.istio.io": (kind) => ({ reason: `${kind} installs Istio`, remedy: MESH_CONFIG }),
  "security.istio.io": NOT_YET(
    "remove it: sidecars speak mutual TLS with each other; use a rule with denier or listchecker",
  ),
  "authentication.istio.io": NOT_YET("remove it: sidecars speak mutual TLS with each other"),
  "rbac.istio.io": NOT_YET("use a rule with denier or listchecker"),
  "telemetry.istio.io": NOT_YET("use accessLogFile and tracing of a MeshConfig, or rules with logentry and metric"),
  "extensions.istio.io": NOT_YET("remove it: programs are not loaded into proxies"),
  [GATEWAY_API]: NOT_YET("write a Gateway and a VirtualService of networking.istio.io"),
};

/** What a document of a kind that the mesh has not is, and what to do with it; undefined: nothing is known of it. */
export function foreignKind(apiVersion: string | undefined, given: string, name: string): Hint | undefined {
  if (apiVersion === undefined) return undefined;
  const kind = given.slice(0, MAX_SHOWN);
  if (kind === "EnvoyFilter")
    return NOT_YET("remove it: there is no Envoy; use the fields of DestinationRule and VirtualService")(kind);
  if (kind === "ConfigMap" && name === "istio")
    return { reason: "ConfigMap istio configures Istio", remedy: MESH_CONFIG.replace("meshConfig", "mesh") };
  if (isPlatformVersion(apiVersion))
    return {
      reason: `${kind} is an object of Kubernetes`,
      remedy: "apply it with kubectl; the mesh learns of services from their sidecars",
    };
  return GROUPS[groupOf(apiVersion)]?.(kind);
}
