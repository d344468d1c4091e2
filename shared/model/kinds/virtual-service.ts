import { defineKind } from "../define-kind.ts";
import type { At } from "../reader.ts";
import { NETWORKING_API_VERSIONS } from "../resource.ts";
import { checked, field, list, object } from "../schema.ts";
import { type HostRef, type HttpRouteSpec, MESH_GATEWAY, type VirtualServiceSpec } from "../specs-networking.ts";
import { httpRoute } from "./http-route.ts";
import { tcpRoutes, tlsRoutes } from "./l4-routes.ts";
import { exportTo, gatewayNames, hostRef } from "./networking.ts";
import { warnOfUnreachable } from "./unreachable-routes.ts";

const ONLY_HTTP = "only HTTP passes through the proxy so far";

const schema = object({
  hosts: field(
    list(hostRef({ star: true, wildcards: true, addresses: true })),
    "Hosts whose requests these routes are for; without any, the routes are for delegation.",
  ),
  gateways: field(gatewayNames(), "Where the routes are in force: names of gateways, and mesh for all sidecars.", {
    default: "mesh",
  }),
  http: field(list(httpRoute), "Routes of requests; the first that fits decides."),
  tls: field(tlsRoutes, "Routes of TLS connections.", {
    unsupported: { remedy: `use http where the proxy sees the requests: ${ONLY_HTTP}` },
  }),
  tcp: field(tcpRoutes, "Routes of connections.", {
    unsupported: { remedy: `use http if the connections carry requests: ${ONLY_HTTP}` },
  }),
  exportTo: field(exportTo(), "Namespaces whose sidecars and gateways see it: *, . (the own one) or names.", {
    default: "as MeshConfig says, else *",
  }),
});

/** VirtualService: how requests to hosts are routed. */
export const VIRTUAL_SERVICE = defineKind<VirtualServiceSpec>({
  kind: "VirtualService",
  plural: "virtualservices",
  shortNames: ["vs"],
  apiVersions: NETWORKING_API_VERSIONS,
  class: "traffic",
  doc: "Routes the requests for some hosts: where they go, with what timeout, retries, faults and changes.",
  schema: checked(schema, (value, at): VirtualServiceSpec => {
    const hosts = value.hosts ?? [];
    const gateways = value.gateways ?? [];
    const isDelegate = !at.has("hosts") || (at.clean("hosts") && hosts.length === 0);
    const isForMesh = gateways.length === 0 || gateways.includes(MESH_GATEWAY);
    if (isDelegate) checkDelegate(value.http ?? [], gateways, at);
    else checkHosts(hosts, isForMesh, at);
    const routes = ["http", "tls", "tcp"].map((name) => at.given(name));
    if (!routes.some((given) => Array.isArray(given) && given.length > 0) && at.clean())
      at.errorOf("http", "there are no routes", "give at least one route");
    if (at.clean("http")) warnOfUnreachable(at);
    if (at.clean("hosts")) checkSniHosts(value.tls ?? [], hosts, at);
    return {
      hosts,
      gateways: gateways.length === 0 ? [MESH_GATEWAY] : [...new Set(gateways)],
      http: value.http ?? [],
      exportTo: value.exportTo ?? [],
    };
  }),
});

function checkDelegate(routes: readonly HttpRouteSpec[], gateways: readonly string[], at: At): void {
  for (const name of ["tls", "tcp"]) {
    if (at.has(name)) at.errorOf(name, "cannot be delegated", "give hosts, or remove it");
  }
  if (gateways.length > 0)
    at.errorOf("gateways", "has no effect without hosts", "give hosts, or remove it: who delegates names the gateways");
  for (const [index, route] of routes.entries()) {
    if (route.delegate !== undefined)
      at.reader.error(
        `${at.path}.http[${index}].delegate`,
        null,
        "what is delegated to cannot delegate on",
        "give hosts, or put the routes here",
      );
  }
}

function checkHosts(hosts: readonly HostRef[], isForMesh: boolean, at: At): void {
  if (!at.clean("hosts")) return;
  for (const [index, { host }] of hosts.entries()) {
    const path = `${at.path}.hosts[${index}]`;
    if (host === "*" && isForMesh)
      at.reader.error(path, host, "* is not for sidecars", "name the hosts, or leave mesh out of gateways");
    const twin = hosts.findIndex(
      (other, place) => place < index && (covers(other.host, host) || covers(host, other.host)),
    );
    if (twin >= 0)
      at.reader.error(path, host, `is the same as hosts[${twin}], or one covers the other`, "keep one of them");
  }
}

type TlsRoutes = readonly {
  readonly match?: readonly { readonly sniHosts?: readonly string[] | undefined }[] | undefined;
}[];

/** A TLS route is for names that the resource is for. */
function checkSniHosts(routes: TlsRoutes, hosts: readonly HostRef[], at: At): void {
  for (const [index, { match = [] }] of routes.entries()) {
    for (const [place, { sniHosts = [] }] of match.entries()) {
      for (const [number, name] of sniHosts.entries()) {
        if (hosts.some(({ host }) => covers(host, name))) continue;
        const path = `${at.path}.tls[${index}].match[${place}].sniHosts[${number}]`;
        at.reader.error(path, name, "is none of the hosts", "name a host of the VirtualService, or add it to hosts");
      }
    }
  }
}

/** Whether every name that b means is one of a. */
function covers(a: string, b: string): boolean {
  return a === b || a === "*" || (a.startsWith("*.") && b.endsWith(a.slice(1)));
}
