import { resolveHost, serviceHost } from "../../shared/model/index.ts";
import type { AttributeJson, ListedInstance, ListedService } from "../../shared/wire/index.ts";

/** One end of a call. */
export interface Party {
  readonly service: ListedService;
  readonly instance: ListedInstance;
}

export interface AskedRequest {
  readonly method: string;
  readonly path: string;
  /** Lower-case name to value. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the destination service; default: its first. */
  readonly port?: number;
}

/** The attributes that the destination's proxy would send for such a request; without a source it comes from outside. */
export function requestAttributes(
  source: Party | undefined,
  destination: Party,
  { method, path, headers, port }: AskedRequest,
  nowMs: number,
): Record<string, AttributeJson> {
  const { namespace, name, ports } = destination.service;
  const number = port ?? ports[0]?.number ?? 80;
  const authority = headers["host"] ?? `${name}.${namespace}:${number}`;
  return {
    ...(source === undefined ? {} : partyAttributes("source", source)),
    ...partyAttributes("destination", destination),
    "destination.port": number,
    "request.method": method,
    "request.path": path,
    "request.host": authority,
    "request.scheme": "http",
    "request.size": 0,
    "request.time": new Date(nowMs).toISOString(),
    "request.headers": { ...headers, ":method": method, ":path": path, ":authority": authority, ":scheme": "http" },
    ...(headers["user-agent"] !== undefined && { "request.useragent": headers["user-agent"] }),
    ...(headers["referer"] !== undefined && { "request.referer": headers["referer"] }),
    "connection.mtls": source !== undefined,
    "context.protocol": "http",
    "context.reporter.kind": "inbound",
    "context.time": new Date(nowMs).toISOString(),
  };
}

function partyAttributes(side: "source" | "destination", { service, instance }: Party): Record<string, AttributeJson> {
  const { namespace, name } = service;
  const { principal, labels, workload, address } = instance;
  const account = /\/sa\/([^/]+)$/.exec(principal)?.[1];
  const attributes: Record<string, AttributeJson | undefined> = {
    namespace,
    service: serviceHost({ namespace, service: name }),
    name: instance.instance,
    uid: `lateen://${instance.instance}.${namespace}`,
    workload,
    principal: principal || undefined,
    user: principal === "" ? undefined : principal.replace(/^spiffe:\/\//, ""),
    serviceAccount: account,
    labels,
    ip: isAddress(address) ? address : undefined,
  };
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([attribute, value]) =>
      value === undefined ? [] : [[`${side}.${attribute}`, value]],
    ),
  );
}

function isAddress(text: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(text) || text.includes(":");
}

/** One instance of each workload that a word means: a service, a workload, an instance, with or without .namespace. */
export function partiesNamed(services: readonly ListedService[], word: string): readonly Party[] {
  const all = services.flatMap((service) => service.instances.map((instance): Party => ({ service, instance })));
  const resolved = resolveHost(word, "");
  const spellings: ((party: Party) => boolean)[] = [
    ({ service, instance }) => [instance.instance, `${instance.instance}.${service.namespace}`].includes(word),
    ({ service }) =>
      resolved !== undefined && resolved.namespace === service.namespace && resolved.service === service.name,
    ({ service }) => service.name === word,
    ({ service, instance }) => [instance.workload, `${instance.workload}.${service.namespace}`].includes(word),
  ];
  for (const isMeant of spellings) {
    const found = new Map<string, Party>();
    for (const party of all.filter(isMeant)) {
      const key = JSON.stringify([party.service.namespace, party.instance.workload, party.instance.labels]);
      if (!found.has(key)) found.set(key, party);
    }
    if (found.size > 0) return [...found.values()];
  }
  return [];
}

export function partyName({ service, instance }: Party): string {
  return `${instance.workload || instance.instance}.${service.namespace}`;
}
