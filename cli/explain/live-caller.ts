import type { Bus } from "../../shared/bus/index.ts";
import { closest } from "../../shared/model/index.ts";
import type { ListedService } from "../../shared/wire/index.ts";
import { listRegistry } from "../registry-client.ts";
import type { ExplainedRequest } from "./request.ts";
import { unlessSilent } from "./silence.ts";

const MAX_NAMED = 8;

/** The request with what the registry knows of its caller. */
export interface CompletedRequest {
  readonly request: ExplainedRequest;
  /** In words, what it does not know. */
  readonly notes: readonly string[];
}

/**
 * Fills in what the registry knows of a caller whom a person only named: `productpage-v1` is a workload, its service and
 * labels are those of its instances; `productpage` is a service, the labels are those of its first instance. Labels that
 * were given stand. A gateway's own name and labels count for the rules of the services behind it.
 */
export async function completeCaller(request: ExplainedRequest, bus: Bus): Promise<CompletedRequest> {
  const { caller, gateway } = request;
  const name = gateway === undefined ? caller.service : gateway.name;
  const namespace = gateway === undefined ? caller.namespace : gateway.namespace;
  if (name === "") return { request, notes: [] };
  const services = await listRegistry(bus, { namespace }).catch(unlessSilent);
  if (services === undefined)
    return { request, notes: ["no Pilot answers: labels and identity of the caller are not known"] };
  const service =
    services.find((each) => each.name === name) ??
    services.find(({ instances }) => instances.some(({ workload, instance }) => [workload, instance].includes(name)));
  const instances = service?.instances ?? [];
  const instance =
    instances.find((each) => each.instance === name || each.workload === name) ??
    // Of a service's instances the first that a given label fits.
    instances.find((each) => Object.entries(caller.labels).every(([key, value]) => each.labels[key] === value)) ??
    instances[0];
  if (service === undefined || instance === undefined) {
    const note = gateway === undefined ? whoIsNot(name, namespace, services) : whichGateways(await listRegistry(bus));
    return { request, notes: [note] };
  }
  const labels = { ...instance.labels, ...caller.labels };
  const { principal: identity, workload } = instance;
  return {
    request: { ...request, caller: { namespace, service: service.name, labels }, identity, workload },
    notes: [],
  };
}

function whoIsNot(name: string, namespace: string, services: readonly ListedService[]): string {
  const names = services.flatMap((service) => [service.name, ...service.instances.map(({ workload }) => workload)]);
  const meant = closest(name, new Set(names));
  const hint = meant === undefined ? "" : `; did you mean ${meant}.${namespace}?`;
  const where =
    services.length === 0
      ? `nothing of namespace ${namespace} is registered`
      : `no service or workload ${name} of namespace ${namespace} is registered`;
  return `${where}: this is what such a caller would meet, with the labels that --from gives it${hint}`;
}

function whichGateways(services: readonly ListedService[]): string {
  const names = services.flatMap(({ namespace, name, instances }) =>
    instances.some(({ gateway }) => gateway) ? [`${namespace}/${name}`] : [],
  );
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
  return `gateways that are registered: ${names.slice(0, MAX_NAMED).join(", ") || "none"}${more}`;
}
