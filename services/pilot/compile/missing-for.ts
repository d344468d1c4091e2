import type { DestinationSpec } from "../../../shared/model/index.ts";
import type { DestinationRules } from "./destination-rules.ts";
import { meantHosts, type ServiceCatalog } from "./services.ts";
import { delegatesOf, destinationsOf, type VirtualService } from "./virtual-service.ts";
import { type Missing, MissingParts } from "./waiting.ts";

/** What a VirtualService names and nobody has: services, subsets, instances with a subset's labels, delegates. */
export function missingFor(
  given: VirtualService,
  services: ServiceCatalog,
  rules: DestinationRules,
  isInForce: (rule: string) => boolean,
): Missing | undefined {
  const parts = new MissingParts();
  for (const destination of destinationsOf(given))
    checkDestination(destination, given.namespace, services, rules, parts);
  for (const rule of delegatesOf(given)) {
    if (isInForce(rule)) continue;
    parts.add(`there is no ${rule} in force to delegate to`, rule);
  }
  return parts.result;
}

function checkDestination(
  { host, subset }: DestinationSpec,
  namespace: string,
  services: ServiceCatalog,
  rules: DestinationRules,
  parts: MissingParts,
): void {
  const key = services.resolve(host, namespace);
  const service = key === undefined ? undefined : services.service(key);
  if (key === undefined || service === undefined) {
    const reason =
      host.service === undefined ? `nobody knows a service ${host.host}` : `no instance of ${host.host} has registered`;
    parts.add(reason, ...meantHosts(host));
    return;
  }
  if (subset === "") return;
  const labels = rules.subsetLabels(namespace, service, subset) ?? rules.anySubsetLabels(service, subset);
  if (labels === undefined) {
    parts.add(`no DestinationRule of ${service.host} has a subset ${subset}`, service.host);
  } else if (!services.carries(key, labels)) {
    const wanted = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
    parts.add(
      `no instance of ${service.host} has the labels ${wanted.sort().join(",")} of subset ${subset}`,
      service.host,
    );
  }
}
