import type { Bus } from "../../shared/bus/index.ts";
import { listRegistry } from "../registry-client.ts";
import type { ExplainedRequest } from "./request.ts";

/**
 * Fills in what the registry knows of a caller whom a person only named: `productpage-v1` is a workload, its service and
 * labels are those of its instances; `productpage` is a service, the labels are those of its first instance. Labels that
 * were given stand. A gateway's own name and labels count for the rules of the services behind it.
 */
export async function completeCaller(request: ExplainedRequest, bus: Bus): Promise<ExplainedRequest> {
  const { caller, gateway } = request;
  const name = gateway === undefined ? caller.service : gateway.name;
  const namespace = gateway === undefined ? caller.namespace : gateway.namespace;
  if (name === "") return request;
  const services = await listRegistry(bus, { namespace });
  const service =
    services.find((each) => each.name === name) ??
    services.find(({ instances }) => instances.some(({ workload }) => workload === name));
  const instances = service?.instances ?? [];
  const instance = instances.find(({ workload }) => workload === name) ?? instances[0];
  if (service === undefined || instance === undefined) return request;
  const labels = { ...instance.labels, ...caller.labels };
  return { ...request, caller: { namespace, service: service.name, labels } };
}
