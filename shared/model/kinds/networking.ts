import { isIP } from "node:net";
import { isDnsLabel, isFqdn, resolveHost, serviceHost } from "../hosts.ts";
import type { At } from "../reader.ts";
import { duration, float, int32, string } from "../scalars.ts";
import { checked, field, list, map, object, type Schema } from "../schema.ts";
import type { Labels } from "../specs.ts";
import { type ExportTo, type HostRef, MESH_GATEWAY } from "../specs-networking.ts";

/** The parts that the kinds of networking.istio.io share. Their durations may be written in any of Go's units. */

/** At least 1 ms. */
export function span(rules: { readonly minMs?: number; readonly stepMs?: number; readonly maxMs?: number } = {}) {
  return duration({ ...rules, anyUnit: true });
}

export function port(): Schema<number> {
  return int32({ min: 1, max: 65_535 });
}

/** 0 to 2^31 - 1. */
export function count(): Schema<number> {
  return int32({ min: 0 });
}

/** 0 to 2^32 - 1. */
export function uint32(): Schema<number> {
  return int32({ min: 0, max: 4_294_967_295 });
}

/** `{number: 80}`. */
export function portSelector(): Schema<number> {
  return checked(
    object({ number: field(port(), "The port's number.", { required: true }) }, [], {
      name: "give number: a port is chosen by its number",
    }),
    ({ number }) => number ?? undefined,
  );
}

const MIN_PERCENT = 0.0001;

/** `{value: 12.5}`: 0, or 0.0001 to 100. */
export function percentage(): Schema<number> {
  const value = checked(float({ min: 0, max: 100 }), (percent, at) =>
    percent > 0 && percent < MIN_PERCENT
      ? at.error(`${percent} is less than ${MIN_PERCENT}`, `give 0, or at least ${MIN_PERCENT}`)
      : percent,
  );
  return checked(
    object({ value: field(value, "Percent, 0 to 100.", { default: "0" }) }),
    ({ value: percent }, at) => percent ?? (at.has("value") ? undefined : 0),
  );
}

const QUALIFIED = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$/;
const MAX_PREFIX_LENGTH = 253;

function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  if (slash < 0) return QUALIFIED.test(key);
  const prefix = key.slice(0, slash).toLowerCase();
  return (
    prefix.length <= MAX_PREFIX_LENGTH && prefix.split(".").every(isDnsLabel) && QUALIFIED.test(key.slice(slash + 1))
  );
}

/** Labels as Kubernetes has them. */
export function workloadLabels(): Schema<Labels> {
  const value = checked(
    string(),
    (label, at) =>
      label === "" || QUALIFIED.test(label)
        ? label
        : at.error(
            `${JSON.stringify(label)} is not a label value`,
            "use at most 63 letters, digits and - _ . with a letter or digit first and last",
          ),
    { format: "label value", pattern: "^(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$" },
  );
  return map(
    value,
    (key, at) =>
      isLabelKey(key) ||
      at.error(
        `${JSON.stringify(key)} is not a label name`,
        "use at most 63 letters, digits and - _ . with a letter or digit first and last, after an optional domain and /",
      ),
  );
}

/** Which workloads; undefined: all of the namespace. The labels stand in `labels` or, in newer kinds, in `matchLabels`. */
export function workloadSelector(name: "labels" | "matchLabels"): Schema<Labels> {
  const given = object({ [name]: field(workloadLabels(), "Labels that a workload must carry, all of them.") });
  return checked(given, (value, at) => {
    const labels = value[name] ?? {};
    if (Object.keys(labels).length > 0) return labels;
    if (at.clean()) at.warn("selects every workload of the namespace", `give ${name}, or leave the selector out`);
    return undefined;
  });
}

interface HostRules {
  /** Whether `*` alone is a host. */
  readonly star?: boolean;
  readonly wildcards?: boolean;
  readonly addresses?: boolean;
  /** Whether a name without dots is one. */
  readonly short?: boolean;
}

const HOST_REMEDY = "give a host name such as reviews, reviews.prod.svc.cluster.local or api.example.com";

/** What keeps text (in lower case) from being a host, in words. */
function hostFault(host: string, { star, wildcards, addresses, short }: HostRules): string | undefined {
  if (host === "") return "is empty";
  if (host === "*") return star ? undefined : "* is no host here";
  if (isIP(host) !== 0) return addresses ? undefined : "is an address, not a host name";
  if (host.length > 255) return "is longer than 255 characters";
  const labels = (host.endsWith(".") ? host.slice(0, -1) : host).split(".");
  const [first = "", ...rest] = labels;
  if (first.startsWith("*")) {
    if (!wildcards) return "has a wildcard";
    if (first !== "*" && !isDnsLabel(first.replace(/^\*-?/, ""))) return `${JSON.stringify(host)} is not a host name`;
    if (rest.length === 0) return `${JSON.stringify(host)} is not a host name`;
  } else if (!isDnsLabel(first)) return `${JSON.stringify(host)} is not a host name`;
  if (!rest.every(isDnsLabel)) return `${JSON.stringify(host)} is not a host name`;
  if (/^\d+$/.test(labels.at(-1) ?? "")) return "ends in a number";
  if (labels.length === 1 && !short) return "is a short name";
  return undefined;
}

/** A host in lower case, without a dot at its end. */
export function host(rules: HostRules): Schema<string> {
  return checked(string(), (given, at) => checkHost(given, at, rules), { format: "host" });
}

export function checkHost(given: string, at: At, rules: HostRules): string | undefined {
  const lower = given.toLowerCase();
  const fault = hostFault(lower, rules);
  if (fault !== undefined) {
    const remedy =
      fault === "is a short name" ? "give the full name, such as reviews.prod.svc.cluster.local" : HOST_REMEDY;
    return at.error(fault, remedy);
  }
  if (/^\*[^.-]/.test(lower)) at.refuse("name the hosts one by one, or write *. and a whole domain");
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}

/** A host as the resource's namespace understands it. */
export function hostRef(rules: HostRules): Schema<HostRef> {
  return checked(host({ short: true, ...rules }), (given, at) => resolveRef(given, at.context.namespace), {});
}

export function resolveRef(given: string, namespace: string): HostRef {
  if (isIP(given) !== 0 || given.startsWith("*")) return { host: given, service: undefined };
  const service = resolveHost(given, namespace);
  const parts = given.split(".").length;
  return service !== undefined && parts !== 2 ? { host: serviceHost(service), service } : { host: given, service };
}

/** The namespaces that see the resource; [] where none are named. `keepDot`: `.` is not the namespace of this resource. */
export function exportTo(rules: { readonly nobody?: boolean; readonly keepDot?: boolean } = {}): Schema<ExportTo> {
  const entry = checked(
    string(),
    (given, at) => {
      if (given === "." || given === "*" || isDnsLabel(given))
        return given === "." && !rules.keepDot ? at.context.namespace : given;
      if (given === "~" && rules.nobody) return given;
      return at.error(
        `${JSON.stringify(given)} is no namespace`,
        `write *, . (the own one)${rules.nobody ? ", ~ (none)" : ""} or the name of a namespace`,
      );
    },
    { format: "namespace", pattern: rules.nobody ? "^(?:[*.~]|[a-z0-9][-a-z0-9]*)$" : "^(?:[*.]|[a-z0-9][-a-z0-9]*)$" },
  );
  return checked(list(entry), (namespaces, at) => {
    const repeated = namespaces.find((each, index) => namespaces.indexOf(each) !== index);
    if (repeated !== undefined) at.error(`${repeated} is given twice`, "keep one of them");
    for (const alone of ["*", "~"]) {
      if (namespaces.length > 1 && namespaces.includes(alone))
        at.error(`${alone} stands beside others`, `write ${alone} alone, or leave it out`);
    }
    return namespaces;
  });
}

/** Names of gateways as `<namespace>/<name>`, or `mesh`. */
export function gatewayNames(): Schema<readonly string[]> {
  const one = checked(
    string(),
    (given, at) => {
      if (given === MESH_GATEWAY) return given;
      const remedy = "write mesh (all sidecars), the name of a Gateway, or namespace/name";
      const parts = given.split("/");
      const [of = "", called = ""] = parts;
      if (parts.length === 2 && of === "." && isFqdn(called)) return `${at.context.namespace}/${called}`;
      if (parts.length === 2 && isDnsLabel(of) && isFqdn(called)) return given;
      if (parts.length > 1) return at.error(`${JSON.stringify(given)} is not the name of a gateway`, remedy);
      const [name = "", namespace, ...rest] = given.split(".");
      if (![name, namespace ?? "x", ...rest].every(isDnsLabel))
        return at.error(`${JSON.stringify(given)} is not the name of a gateway`, remedy);
      if (namespace === undefined) return `${at.context.namespace}/${name}`;
      at.warn("deprecated", `write ${namespace}/${name}`);
      return `${namespace}/${name}`;
    },
    { format: "gateway name" },
  );
  return list(one);
}

/** A namespace, `.` being the resource's own and `*` any, with a host. */
export function namespaceOf(given: string, at: At): string | undefined {
  if (given === ".") return at.context.namespace;
  return given === "*" || isDnsLabel(given) ? given : undefined;
}

/** The protocols that a port may be declared to carry, as they are spelled (in any letter case). */
export const PROTOCOLS = [
  "HTTP",
  "HTTP2",
  "HTTPS",
  "GRPC",
  "GRPC-WEB",
  "HTTP_PROXY",
  "MONGO",
  "MYSQL",
  "REDIS",
  "TCP",
  "TLS",
  "UDP",
] as const;

/** A protocol in lower case. Only HTTP passes through the proxy so far. */
export function protocol(instead: string): Schema<string> {
  return checked(
    string(),
    (given, at) => {
      const name = PROTOCOLS.find((each) => each === given.toUpperCase());
      if (name === undefined) {
        return at.error(`${JSON.stringify(given)} is not a protocol`, `write one of ${PROTOCOLS.join(", ")}`);
      }
      if (name !== "HTTP") at.refuse(instead);
      return name.toLowerCase();
    },
    {
      format: "protocol",
      pattern: `^(?:${PROTOCOLS.map((each) => each.replaceAll(/[A-Z]/g, (letter) => `[${letter}${letter.toLowerCase()}]`)).join("|")})$`,
    },
  );
}

const METHODS: readonly string[] = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "*",
];

/** A method that browsers may use, or `*`. */
export function corsMethod(): Schema<string> {
  return checked(
    string(),
    (name, at) =>
      METHODS.includes(name) ? name : at.error(`must be one of ${METHODS.join(", ")}`, "write it in upper case"),
    { format: "method", pattern: `^(?:${METHODS.join("|").replace("*", "\\*")})$` },
  );
}

/** A subset's name; "" is none. */
export function subsetName(): Schema<string> {
  return checked(
    string(),
    (name, at) =>
      name === "" || isDnsLabel(name.toLowerCase())
        ? name
        : at.error(`${JSON.stringify(name)} is not the name of a subset`, "use letters, digits and dashes"),
    { format: "DNS label, any case" },
  );
}
