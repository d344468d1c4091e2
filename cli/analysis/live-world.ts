import type {
  AnalysedResource,
  CertificateState,
  KnownInstance,
  KnownService,
  LiveState,
  World,
} from "../../shared/analysis/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { createKindRegistry, type KindRegistry, keyOf, type Resource } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import {
  ComponentStatus,
  ComponentStatusRequest,
  type ListedInstance,
  type ListedService,
  type ProxyStatus,
} from "../../shared/wire/index.ts";
import { askProxy, gatherProxies } from "../live/proxies.ts";
import { proxyStates } from "../live/proxy-state.ts";
import type { Progress } from "../progress.ts";
import { listPending, listRegistry, listResources } from "../registry-client.ts";

const GATHER = { quietMs: 300, maxMs: 3_000 };
/** Each is asked for its certificates; of a larger mesh the first ones by name stand for all. */
const MAX_ASKED = 500;
const ASKED_AT_ONCE = 16;

/** What a running mesh tells of itself. Throws the MeshError of a Pilot that does not answer. */
export async function readLiveWorld(bus: Bus, progress: Progress): Promise<Omit<World, "nowMs">> {
  progress.say("asking Pilot for configuration and services");
  const [resources, services] = await Promise.all([listResources(bus), listRegistry(bus)]);
  progress.say("asking proxies and components");
  const kinds = createKindRegistry(POLICY_KINDS);
  return {
    resources: resources.map((resource) => parseStored(resource, kinds)),
    services: services.map(toKnown),
    namespaces: [],
    live: await readState(bus, progress),
  };
}

async function readState(bus: Bus, progress: Progress): Promise<LiveState> {
  const [statuses, components, pending] = await Promise.all([
    gatherProxies(bus),
    bus.gather(bus.subjects.componentStatus(), ComponentStatusRequest, {}, ComponentStatus, GATHER),
    listPending(bus),
  ]);
  return {
    proxies: proxyStates(statuses).map(({ status, keys }) => ({
      namespace: status.namespace,
      instance: status.instance,
      version: status.version,
      stale: keys.filter(({ state }) => state === "STALE").map(({ table, key }) => `${table} ${key}`),
      rejected: keys
        .filter(({ state }) => state === "REJECTED")
        .map(({ table, key, reason }) => ({ key: `${table} ${key}`, reason })),
    })),
    components: components.map(({ role, name, version }) => ({ role, name, version })),
    pending: pending.map(({ kind, namespace, name, reason }) => ({ key: { kind, namespace, name }, reason })),
    certificates: await readCertificates(bus, statuses.slice(0, MAX_ASKED), progress),
  };
}

interface CertificateView {
  readonly valid_from?: string;
  readonly expiration_time?: string;
}

interface CertificatesView {
  readonly certificates?: readonly {
    readonly ca_cert?: readonly CertificateView[];
    readonly cert_chain?: readonly CertificateView[];
  }[];
}

/** Of every proxy that answers; one that does not is told of by proxy-status, not here. */
async function readCertificates(
  bus: Bus,
  statuses: readonly ProxyStatus[],
  progress: Progress,
): Promise<readonly CertificateState[]> {
  const found: CertificateState[] = [];
  let next = 0;
  const ask = async (): Promise<void> => {
    for (let status = statuses[next++]; status !== undefined; status = statuses[next++]) {
      progress.say(`asking proxies for their certificates (${next} of ${statuses.length})`);
      const view = await askProxy<CertificatesView>(bus, status, { view: "certs" }).catch(() => undefined);
      found.push(...certificatesOf(status, view ?? {}));
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask));
  return found;
}

function certificatesOf({ namespace, instance }: ProxyStatus, view: CertificatesView): CertificateState[] {
  const states = (certificates: readonly CertificateView[], isRoot: boolean): CertificateState[] =>
    certificates.map((certificate) => ({
      namespace,
      instance,
      isRoot,
      validFromMs: Date.parse(certificate.valid_from ?? ""),
      expiresMs: Date.parse(certificate.expiration_time ?? ""),
    }));
  return (view.certificates ?? [])
    .flatMap(({ ca_cert = [], cert_chain = [] }) => [
      ...states(ca_cert, true),
      ...states(cert_chain.slice(0, 1), false),
    ])
    .filter(({ validFromMs, expiresMs }) => Number.isFinite(validFromMs) && Number.isFinite(expiresMs));
}

function parseStored(resource: Resource, kinds: KindRegistry): AnalysedResource {
  const key = keyOf(resource);
  const definition = kinds.get(resource.kind);
  if (definition === undefined) {
    const error = {
      path: "kind",
      value: resource.kind,
      reason: `unknown kind ${resource.kind}`,
      remedy: "bring lateen and Pilot to one version",
    };
    return { key, parsed: undefined, errors: [error] };
  }
  const { namespace, name } = resource.metadata;
  const { parsed, errors, warnings = [] } = definition.parseSpec(resource.spec, "spec", { namespace, name });
  if (errors.length > 0) return { key, parsed: undefined, errors };
  return { key, parsed: { resource, definition, parsed: parsed ?? resource.spec, warnings }, errors };
}

function toKnown({ namespace, name, ports, instances }: ListedService): KnownService {
  return {
    namespace,
    name,
    ports: ports.map(({ number, protocol }) => ({ number, protocol, name: "" })),
    instances: instances.map(toInstance),
  };
}

function toInstance({ instance, labels, healthy, gateway, plaintext, ports }: ListedInstance): KnownInstance {
  return { name: instance, labels, healthy, gateway, plaintext, ports };
}
