import { type JsonObject, type JsonValue, type Resource, revisionOf } from "../../shared/model/index.ts";
import { formatAge } from "../render.ts";

/** One column of a table of resources. */
export interface Column {
  readonly header: string;
  readonly cell: (resource: Resource) => string;
}

/** What a kind shows between name and namespace, as kubectl's printer columns do for Istio's kinds. */
const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  VirtualService: [fieldColumn("GATEWAYS", "gateways"), fieldColumn("HOSTS", "hosts")],
  DestinationRule: [fieldColumn("HOST", "host"), namesColumn("SUBSETS", "subsets", "name")],
  Gateway: [fieldColumn("SELECTOR", "selector"), namesColumn("HOSTS", "servers", "hosts")],
  ServiceEntry: [
    fieldColumn("HOSTS", "hosts"),
    fieldColumn("LOCATION", "location"),
    fieldColumn("RESOLUTION", "resolution"),
  ],
  Sidecar: [fieldColumn("SELECTOR", "workloadSelector", "labels")],
  WorkloadEntry: [fieldColumn("ADDRESS", "address"), fieldColumn("LABELS", "labels")],
  WorkloadGroup: [fieldColumn("SERVICEACCOUNT", "template", "serviceAccount")],
  RouteRule: [fieldColumn("DESTINATION", "destination", "name"), fieldColumn("PRECEDENCE", "precedence")],
  DestinationPolicy: [
    fieldColumn("DESTINATION", "destination", "name"),
    fieldColumn("LABELS", "destination", "labels"),
  ],
  EgressRule: [fieldColumn("DESTINATION", "destination", "service"), namesColumn("PORTS", "ports", "port")],
  IngressRule: [fieldColumn("DESTINATION", "destination", "name"), fieldColumn("PORT", "port")],
  rule: [fieldColumn("MATCH", "match"), namesColumn("HANDLERS", "actions", "handler")],
  QuotaSpecBinding: [namesColumn("SERVICES", "services", "name"), namesColumn("SPECS", "quotaSpecs", "name")],
};

const MAX_CELL = 60;

/** The columns of a kind's table; `nowMs` is what ages are counted from. */
export function columnsOf(kind: string, nowMs: number, isWide: boolean): readonly Column[] {
  return [
    ...(COLUMNS[kind] ?? []),
    { header: "NAMESPACE", cell: ({ metadata }) => metadata.namespace },
    { header: "REVISION", cell: (resource) => String(revisionOf(resource)) },
    { header: "AGE", cell: (resource) => ageOf(resource, nowMs) },
    ...(isWide ? WIDE : []),
  ];
}

const WIDE: readonly Column[] = [
  { header: "KIND", cell: typeName },
  { header: "UPDATED", cell: ({ metadata }) => metadata.updateTimestamp ?? "" },
  { header: "LABELS", cell: ({ metadata }) => shown(metadata.labels ?? {}) },
];

/** `RouteRule.v1alpha2.config.istio.io` */
export function typeName({ apiVersion, kind }: Resource): string {
  const [group = "", version = ""] = apiVersion.split("/");
  return `${kind}.${version}.${group}`;
}

export function ageOf({ metadata }: Resource, nowMs: number): string {
  const createdMs = Date.parse(metadata.creationTimestamp ?? "");
  return Number.isNaN(createdMs) ? "" : formatAge(nowMs - createdMs);
}

function fieldColumn(header: string, ...path: string[]): Column {
  return { header, cell: ({ spec }) => shown(path.reduce<JsonValue | undefined>(below, spec)) };
}

/** One field of every item of a list. */
function namesColumn(header: string, list: string, field: string): Column {
  return {
    header,
    cell: ({ spec }) => {
      const items = spec[list];
      return Array.isArray(items) ? shown(items.flatMap((item: JsonValue) => below(item, field) ?? [])) : "";
    },
  };
}

function below(value: JsonValue | undefined, field: string): JsonValue | undefined {
  return isObject(value) ? value[field] : undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: JsonValue | undefined): string {
  const text = textOf(value);
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL - 3)}...` : text;
}

function textOf(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(textOf).join(",");
  if (isObject(value))
    return Object.entries(value)
      .map(([name, item]) => `${name}=${textOf(item)}`)
      .join(",");
  return String(value).replaceAll(/\s+/g, " ");
}
