/** The DNS suffix of the mesh's own services: `<service>.<namespace>.svc.cluster.local`. */
export const DOMAIN = "cluster.local";

export interface ServiceName {
  readonly namespace: string;
  readonly service: string;
}

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const MAX_LABEL_LENGTH = 63;
const MAX_NAME_LENGTH = 255;

/** A DNS-1123 label: lower case letters, digits and inner dashes, at most 63. */
export function isDnsLabel(text: string): boolean {
  return text.length <= MAX_LABEL_LENGTH && LABEL.test(text);
}

/** At most 255 characters, every part between dots a DNS-1123 label. */
export function isFqdn(text: string): boolean {
  return text !== "" && text.length <= MAX_NAME_LENGTH && text.split(".").every(isDnsLabel);
}

/** A domain, or one whose first part is a wildcard: `*`, `*.example.com`, `*-api.example.com`. */
export function isWildcardDomain(text: string): boolean {
  if (text === "*") return true;
  if (text.startsWith("*.")) return isFqdn(text.slice(2));
  if (text.startsWith("*-")) return isFqdn(`x${text.slice(1)}`);
  return isFqdn(text);
}

/** Dotted decimal, without leading zeros. */
export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** An IPv4 address with a prefix length. */
export function isIpv4Cidr(text: string): boolean {
  const slash = text.indexOf("/");
  if (slash < 0) return false;
  const length = text.slice(slash + 1);
  return isIpv4(text.slice(0, slash)) && /^(?:\d|[12]\d|3[0-2])$/.test(length);
}

/** The host name under which a service is known everywhere. */
export function serviceHost(name: ServiceName): string {
  return `${name.service}.${name.namespace}.svc.${DOMAIN}`;
}

/**
 * The service that a host name means to a caller in `callerNamespace`: `name`, `name.ns`, `name.ns.svc` or
 * `name.ns.svc.cluster.local`, in any letter case, with or without `:port` and trailing dot. Undefined for every
 * other host. A two-part host may as well be a domain outside: whoever asks looks the service up and falls back.
 */
export function resolveHost(host: string, callerNamespace: string): ServiceName | undefined {
  const colon = host.indexOf(":");
  let name = colon < 0 ? host : host.slice(0, colon);
  if (colon >= 0 && !/^:\d{1,5}$/.test(host.slice(colon))) return undefined;
  if (name.endsWith(".")) name = name.slice(0, -1);
  const [service, namespace, ...rest] = name.toLowerCase().split(".");
  if (service === undefined || !isDnsLabel(service)) return undefined;
  if (namespace === undefined) return { namespace: callerNamespace, service };
  const suffix = rest.join(".");
  if (suffix !== "" && suffix !== "svc" && suffix !== `svc.${DOMAIN}`) return undefined;
  return isDnsLabel(namespace) ? { namespace, service } : undefined;
}

/** The service whose cluster name a host is: `name.ns.svc`, with or without `.cluster.local`. Undefined for every other host. */
export function clusterService(host: string): ServiceName | undefined {
  return host.split(".").length > 2 ? resolveHost(host, "") : undefined;
}
