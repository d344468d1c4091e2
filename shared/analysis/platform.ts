import { isPlatformVersion, type JsonObject, type JsonValue } from "../model/index.ts";
import type { KnownInstance, KnownService } from "./world.ts";

/*
 * Files of Istio's users hold Kubernetes objects beside the mesh's own: Services, and the workloads behind them. They say
 * which services there are, with which ports and labels, so that references can be judged without a running mesh. They
 * are read as far as that takes and are not judged themselves.
 */

const WORKLOADS = new Set(["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job"]);
const PROTOCOLS = ["grpc-web", "http2", "https", "http", "grpc", "tcp", "tls", "mongo", "mysql", "redis", "udp"];

/** Whether a document is the platform's and not the mesh's. */
export function isPlatformDocument(value: JsonObject): boolean {
  return typeof value["apiVersion"] === "string" && isPlatformVersion(value["apiVersion"]);
}

export interface PlatformKnowledge {
  /** Undefined when the documents name no service at all. */
  readonly services: readonly KnownService[] | undefined;
  readonly namespaces: readonly string[];
}

/** What the documents tell of services, each with the workloads that its selector fits. */
export function servicesOfDocuments(documents: readonly JsonObject[], defaultNamespace: string): PlatformKnowledge {
  const namespaces = new Set<string>();
  const workloads: {
    readonly namespace: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  }[] = [];
  for (const document of documents) {
    const { kind } = document;
    const { namespace, name, labels } = nameOf(document, defaultNamespace);
    namespaces.add(kind === "Namespace" ? name : namespace);
    if (typeof kind !== "string" || !WORKLOADS.has(kind)) continue;
    const template = objectAt(objectAt(document["spec"])["template"]);
    workloads.push({
      namespace,
      name,
      labels: kind === "Pod" ? labels : labelsOf(objectAt(template["metadata"])["labels"]),
    });
  }
  const services = documents
    .filter(({ kind }) => kind === "Service")
    .map((document): KnownService => {
      const { namespace, name } = nameOf(document, defaultNamespace);
      const spec = objectAt(document["spec"]);
      const ports = listAt(spec["ports"]).map((port) => ({
        number: typeof port["port"] === "number" ? port["port"] : 0,
        name: textAt(port["name"]),
        protocol: protocolOf(textAt(port["appProtocol"]), textAt(port["name"])),
      }));
      const selector = Object.entries(labelsOf(spec["selector"]));
      const instances = workloads
        .filter(
          (each) =>
            each.namespace === namespace &&
            selector.length > 0 &&
            selector.every(([key, value]) => each.labels[key] === value),
        )
        .map(
          (each): KnownInstance => ({
            name: each.name,
            labels: each.labels,
            healthy: true,
            gateway: undefined,
            plaintext: false,
            // A container's ports need not be declared; those of the Service are what it is called by.
            ports: ports.map(({ number, protocol }) => ({ number, protocol })),
          }),
        );
      return { namespace, name, ports, instances };
    });
  return { services: services.length === 0 ? undefined : services, namespaces: [...namespaces] };
}

/** By appProtocol, else by the name of the port, `<protocol>` or `<protocol>-<anything>`; "" when neither says one. */
function protocolOf(appProtocol: string, name: string): string {
  const said = (appProtocol.split("/").at(-1) || name).toLowerCase();
  return PROTOCOLS.find((protocol) => said === protocol || said.startsWith(`${protocol}-`)) ?? "";
}

function nameOf(
  document: JsonObject,
  defaultNamespace: string,
): { readonly namespace: string; readonly name: string; readonly labels: Readonly<Record<string, string>> } {
  const metadata = objectAt(document["metadata"]);
  const { namespace, name, labels } = metadata;
  return { namespace: textAt(namespace) || defaultNamespace, name: textAt(name), labels: labelsOf(labels) };
}

function objectAt(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function listAt(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]).map(objectAt) : [];
}

function labelsOf(value: JsonValue | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(objectAt(value)).map(([key, label]) => [key, String(label)]));
}

function textAt(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
