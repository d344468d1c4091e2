import { type Labels, ROOT_NAMESPACE } from "../../model/index.ts";
import {
  CONFLICTING_SIDECARS,
  ENTRY_WITHOUT_ENDPOINTS,
  PORT_NAME_MISMATCH,
  PORT_NAME_UNKNOWN,
  SELECTS_NOTHING,
  SEVERAL_DEFAULT_SIDECARS,
  SHARED_ENTRY_HOST,
  SIDECAR_HOST_FITS_NOTHING,
  UNUSED_WORKLOAD_ENTRY,
} from "../codes/policies.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";
import { egressPath } from "../routes.ts";
import { labelText } from "../workload-book.ts";

/** ServiceEntries, WorkloadEntries and Sidecars. */
export function checkEntries(index: MeshIndex, report: Report): void {
  const selectors = new Map<string, Labels[]>();
  const entriesOf = groupByNamespace(index.all("WorkloadEntry"));
  for (const item of index.all("ServiceEntry")) {
    const { key, spec } = item;
    checkPorts(report, item);
    const labels = spec.workloadLabels;
    if (labels === undefined) continue;
    push(selectors, key.namespace, labels);
    const isThere =
      index.workloads.some(labels, key.namespace) ||
      (entriesOf.get(key.namespace) ?? []).some((entry) => fits(labels, entry.spec.labels));
    if (!isThere && index.knowsWorkloads)
      report.add(
        ENTRY_WITHOUT_ENDPOINTS,
        key,
        "spec.workloadSelector",
        `nothing in ${key.namespace} carries ${labelText(labels)}`,
      );
  }
  for (const { key, spec } of index.all("WorkloadEntry")) {
    if ((selectors.get(key.namespace) ?? []).some((labels) => fits(labels, spec.labels))) continue;
    report.add(UNUSED_WORKLOAD_ENTRY, key, "spec.labels", `no ServiceEntry of ${key.namespace} selects it`);
  }
  checkSharedHosts(index, report);
  checkSelectors(index, report);
  checkSidecars(index, report);
  checkServicePorts(index, report);
}

/** EgressRules are entries of the older dialect, and merged with the others. */
function checkSharedHosts(index: MeshIndex, report: Report): void {
  const hosts = new Map<string, Item<"ServiceEntry" | "EgressRule">>();
  const check = (item: Item<"ServiceEntry" | "EgressRule">, host: string, path: string): void => {
    const id = `${item.key.namespace} ${host}`;
    const first = hosts.get(id);
    if (first === undefined) hosts.set(id, item);
    else if (first !== item) {
      const { kind, namespace, name } = first.key;
      report.add(SHARED_ENTRY_HOST, item.key, path, `merged with ${kind} ${namespace}/${name}, which has ${host} too`);
    }
  };
  for (const item of index.all("ServiceEntry"))
    for (const [i, host] of item.spec.hosts.entries()) check(item, host, `spec.hosts[${i}]`);
  for (const item of index.all("EgressRule")) check(item, item.spec.service, "spec.destination.service");
}

/** Only Services of a platform have ports with names; a registration says the protocol itself. */
function checkServicePorts(index: MeshIndex, report: Report): void {
  for (const { namespace, name, ports } of index.world.services ?? []) {
    for (const [i, port] of ports.entries()) {
      if (port.protocol !== "") continue;
      const said = port.name === "" ? "has no name" : `is called ${port.name}`;
      const message = `port ${port.number} ${said}, and nothing says its protocol`;
      report.add(PORT_NAME_UNKNOWN, { kind: "Service", namespace, name }, `spec.ports[${i}].name`, message);
    }
  }
}

/** Protocols that a port's name may begin with. */
const PROTOCOLS = new Set([
  "http",
  "http2",
  "https",
  "grpc",
  "grpc-web",
  "tcp",
  "tls",
  "mongo",
  "mysql",
  "redis",
  "udp",
]);

function checkPorts(report: Report, { key, spec }: Item<"ServiceEntry">): void {
  for (const [i, { name, protocol }] of spec.ports.entries()) {
    const path = `spec.ports[${i}]`;
    const said = name.startsWith("grpc-web") ? "grpc-web" : (name.split("-")[0] ?? "").toLowerCase();
    if (PROTOCOLS.has(said) && said !== protocol)
      report.add(PORT_NAME_MISMATCH, key, `${path}.name`, `the name says ${said}, the protocol is ${protocol}`);
  }
}

function checkSelectors(index: MeshIndex, report: Report): void {
  if (!index.knowsWorkloads) return;
  for (const kind of ["DestinationRule", "Sidecar"] as const) {
    for (const { key, spec } of index.all(kind)) {
      const labels = spec.workloadLabels;
      if (labels === undefined || index.workloads.some(labels, key.namespace)) continue;
      report.add(
        SELECTS_NOTHING,
        key,
        "spec.workloadSelector",
        `no workload of ${key.namespace} carries ${labelText(labels)}`,
      );
    }
  }
}

function checkSidecars(index: MeshIndex, report: Report): void {
  const defaults = new Map<string, Item<"Sidecar">>();
  const taken = new Map<object, Item<"Sidecar">>();
  for (const item of index.all("Sidecar")) {
    const { key, spec } = item;
    const labels = spec.workloadLabels;
    if (labels === undefined) {
      const first = defaults.get(key.namespace);
      if (first === undefined) defaults.set(key.namespace, item);
      else
        report.add(
          SEVERAL_DEFAULT_SIDECARS,
          key,
          "spec.workloadSelector",
          `Sidecar ${key.namespace}/${first.key.name} is in force, this one is not`,
        );
    } else {
      for (const { instance, namespace } of index.workloads.selected(labels)) {
        if (namespace !== key.namespace) continue;
        const first = taken.get(instance);
        if (first === undefined) taken.set(instance, item);
        else {
          report.add(
            CONFLICTING_SIDECARS,
            key,
            "spec.workloadSelector",
            `Sidecar ${key.namespace}/${first.key.name} is in force for ${instance.name}, this one is not`,
          );
          break;
        }
      }
    }
    for (const [i, { namespace, host }] of (spec.egressHosts ?? []).entries()) {
      if (!index.knowsServices || host === "*" || namespace === "~") continue;
      // In the root namespace it is the default of namespaces that are still to come.
      if (key.namespace === ROOT_NAMESPACE && namespace === ROOT_NAMESPACE) continue;
      if (!index.hosts.anyFits(namespace, host))
        report.add(
          SIDECAR_HOST_FITS_NOTHING,
          key,
          egressPath(item, i),
          `no service of ${namespace === "*" ? "any namespace" : namespace} fits ${host}`,
        );
    }
  }
}

function fits(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

function groupByNamespace<K extends "WorkloadEntry">(
  items: readonly Item<K>[],
): ReadonlyMap<string, readonly Item<K>[]> {
  const groups = new Map<string, Item<K>[]>();
  for (const item of items) push(groups, item.key.namespace, item);
  return groups;
}

function push<T>(groups: Map<string, T[]>, key: string, value: T): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}
