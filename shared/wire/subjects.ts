import { WireError } from "../base/index.ts";
import { decodeToken, encodeToken } from "./names.ts";

/** The tables that are broadcast. `config` holds readable JSON and is broadcast as `config.changed`. */
export const TABLES = ["config", "service", "endpoints", "hosts", "gateway", "workload", "plan", "trust"] as const;
export type Table = (typeof TABLES)[number];

/** Tables that workloads may follow. */
export const WORKLOAD_TABLES = ["service", "endpoints", "hosts", "gateway", "workload", "plan", "trust"] as const;

export type ConfigVerb = "apply" | "submit" | "delete" | "get" | "list" | "history" | "rollback" | "pending";
export type RegistryVerb = "register" | "heartbeat" | "deregister";
export const TELEMETRY_KINDS = ["metric", "log", "span"] as const;
export type TelemetryKind = (typeof TELEMETRY_KINDS)[number];

/** Who a workload's subject says it is. */
export interface WorkloadIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
}

export interface ProxyIdentity extends WorkloadIdentity {
  /** The instance name. */
  readonly proxy: string;
}

export interface RegistryAddress extends WorkloadIdentity {
  readonly verb: RegistryVerb;
  readonly service: string;
  readonly instance: string;
}

const PREFIX = /^[A-Za-z0-9-]+$/;

/** A table key: its name parts, encoded and joined. `tableKey("default", "reviews")` is `default.reviews`. */
export function tableKey(...names: string[]): string {
  return names.map(encodeToken).join(".");
}

/** The name parts of a table key. Throws WireError. */
export function parseTableKey(key: string): string[] {
  return key.split(".").map(decodeToken);
}

/** The kind's token: `RouteRule` is `routerule`. */
export function kindToken(kind: string): string {
  return encodeToken(kind.toLowerCase());
}

export function isTable(name: string): name is Table {
  return (TABLES as readonly string[]).includes(name);
}

function isTelemetryKind(name: string): name is TelemetryKind {
  return (TELEMETRY_KINDS as readonly string[]).includes(name);
}

/**
 * Builds and parses every subject, bucket, stream and queue group name of one mesh. Nothing else in the project
 * writes a subject as text.
 */
export class Subjects {
  readonly prefix: string;

  /** Throws WireError unless the prefix is one token `[A-Za-z0-9-]+`. */
  constructor(prefix: string) {
    if (!PREFIX.test(prefix))
      throw new WireError(`mesh prefix ${JSON.stringify(prefix)}: use letters, digits and dashes`);
    this.prefix = prefix;
  }

  // --- tables ---

  bucket(table: Table | "leader"): string {
    return `${this.prefix}-${table}`;
  }

  /** The JetStream stream behind a bucket. */
  bucketStream(table: Table | "leader"): string {
    return `KV_${this.bucket(table)}`;
  }

  /** The subject under which the bucket stores a key; `>` for all of them. */
  bucketSubject(table: Table | "leader", key: string): string {
    return `$KV.${this.bucket(table)}.${key}`;
  }

  /** The subject under which a key's changes are broadcast; `>` for all of them. */
  table(table: Table, key: string): string {
    return table === "config" ? `${this.prefix}.config.changed.${key}` : `${this.prefix}.${table}.${key}`;
  }

  /** The reverse of `table`. */
  parseTable(subject: string): { table: Table; key: string } {
    const rest = this.#strip(subject);
    if (rest.startsWith("config.changed.")) return { table: "config", key: rest.slice("config.changed.".length) };
    const dot = rest.indexOf(".");
    const table = rest.slice(0, dot);
    if (dot < 1 || !isTable(table) || table === "config") throw this.#unknown(subject);
    return { table, key: rest.slice(dot + 1) };
  }

  /** The direct-get API of one key (or `>`) of a bucket. */
  directGet(table: Table | "leader", key: string): string {
    return `$JS.API.DIRECT.GET.${this.bucketStream(table)}.${this.bucketSubject(table, key)}`;
  }

  head(table: Table | "*"): string {
    return `${this.prefix}.head.${table}`;
  }

  parseHead(subject: string): Table {
    const [verb, table, ...more] = this.#strip(subject).split(".");
    if (verb !== "head" || table === undefined || !isTable(table) || more.length > 0) throw this.#unknown(subject);
    return table;
  }

  sync(table: Table, key: string): string {
    return `${this.prefix}.sync.${table}.${key}`;
  }

  parseSync(subject: string): { table: Table; key: string } {
    const [verb, table, ...key] = this.#strip(subject).split(".");
    if (verb !== "sync" || table === undefined || !isTable(table) || key.length === 0) throw this.#unknown(subject);
    return { table, key: key.join(".") };
  }

  /** Every follower answers with all that it follows. */
  syncStatus(): string {
    return `${this.prefix}.sync.status`;
  }

  /** Every replica of every component answers with how it is. */
  componentStatus(): string {
    return `${this.prefix}.component.status`;
  }

  // --- configuration ---

  config(verb: ConfigVerb): string {
    return `${this.prefix}.config.${verb}`;
  }

  /** `<kind>.<namespace>.<name>`, as a key of table `config`. */
  configKey(kind: string, namespace: string, name: string): string {
    return `${kindToken(kind)}.${tableKey(namespace, name)}`;
  }

  configRejected(kind: string, namespace: string, name: string): string {
    return `${this.prefix}.config.rejected.${this.configKey(kind, namespace, name)}`;
  }

  allConfigRejected(): string {
    return `${this.prefix}.config.rejected.>`;
  }

  submitStream(): string {
    return `${this.prefix}-submit`;
  }

  // --- registry ---

  registry(address: RegistryAddress): string {
    const { verb, namespace, serviceAccount, service, instance } = address;
    return `${this.prefix}.registry.${verb}.${tableKey(namespace, serviceAccount, service, instance)}`;
  }

  allRegistry(): string {
    return `${this.prefix}.registry.*.*.*.*.*`;
  }

  /** Operators read what is registered. */
  registryList(): string {
    return `${this.prefix}.registry.list`;
  }

  parseRegistry(subject: string): RegistryAddress {
    const [root, verb, ...names] = this.#strip(subject).split(".");
    const [namespace, serviceAccount, service, instance] = names.map(decodeToken);
    if (
      root !== "registry" ||
      (verb !== "register" && verb !== "heartbeat" && verb !== "deregister") ||
      names.length !== 4 ||
      namespace === undefined ||
      serviceAccount === undefined ||
      service === undefined ||
      instance === undefined
    ) {
      throw this.#unknown(subject);
    }
    return { verb, namespace, serviceAccount, service, instance };
  }

  // --- identity-bearing requests of proxies ---

  policyCheck(identity: ProxyIdentity): string {
    return this.#proxySubject("policy.check", identity);
  }

  allPolicyChecks(): string {
    return `${this.prefix}.policy.check.*.*.*`;
  }

  parsePolicyCheck(subject: string): ProxyIdentity {
    return this.#parseProxySubject("policy.check.", subject);
  }

  report(identity: ProxyIdentity): string {
    return this.#proxySubject("report", identity);
  }

  /** To one replica, which answered the last report of this proxy. */
  reportTo(identity: ProxyIdentity, replica: string): string {
    return `${this.report(identity)}.${encodeToken(replica)}`;
  }

  allReports(): string {
    return `${this.prefix}.report.*.*.*`;
  }

  allReportsTo(replica: string): string {
    return `${this.allReports()}.${encodeToken(replica)}`;
  }

  /** Accepts both forms. */
  parseReport(subject: string): ProxyIdentity {
    const parts = subject.split(".");
    return this.#parseProxySubject("report.", parts.slice(0, 5).join("."));
  }

  /** An operator's question; not a proxy's. */
  mixerCheck(): string {
    return `${this.prefix}.mixer.check`;
  }

  /** An operator's report; not a proxy's. */
  mixerReport(): string {
    return `${this.prefix}.mixer.report`;
  }

  proxyStatus(identity: ProxyIdentity): string {
    return this.#proxySubject("proxy.status", identity);
  }

  allProxyStatus(): string {
    return `${this.prefix}.proxy.status.*.*.*`;
  }

  parseProxyStatus(subject: string): ProxyIdentity {
    return this.#parseProxySubject("proxy.status.", subject);
  }

  proxyDebug(identity: ProxyIdentity): string {
    return this.#proxySubject("proxy.debug", identity);
  }

  proxyTap(identity: ProxyIdentity): string {
    return this.#proxySubject("proxy.tap", identity);
  }

  caSign(identity: WorkloadIdentity): string {
    return `${this.prefix}.ca.sign.${tableKey(identity.namespace, identity.serviceAccount)}`;
  }

  allCaSign(): string {
    return `${this.prefix}.ca.sign.*.*`;
  }

  parseCaSign(subject: string): WorkloadIdentity {
    const rest = this.#strip(subject);
    const [namespace, serviceAccount, ...more] = rest.startsWith("ca.sign.") ? parseTableKey(rest.slice(8)) : [];
    if (namespace === undefined || serviceAccount === undefined || more.length > 0) throw this.#unknown(subject);
    return { namespace, serviceAccount };
  }

  // --- telemetry ---

  telemetry(kind: TelemetryKind, namespace: string, service: string): string {
    return `${this.prefix}.telemetry.${kind}.${tableKey(namespace, service)}`;
  }

  /** Every row, or those of one kind, namespace or service. */
  allTelemetry(only: { kind?: TelemetryKind; namespace?: string; service?: string } = {}): string {
    const { kind, namespace, service } = only;
    const names = [namespace, service].map((name) => (name === undefined ? "*" : encodeToken(name)));
    if (kind === undefined && namespace === undefined && service === undefined) return `${this.prefix}.telemetry.>`;
    return `${this.prefix}.telemetry.${kind ?? "*"}.${names.join(".")}`;
  }

  parseTelemetry(subject: string): { kind: TelemetryKind; namespace: string; service: string } {
    const [verb, kind, ...names] = this.#strip(subject).split(".");
    const [namespace, service] = names.map(decodeToken);
    if (
      verb !== "telemetry" ||
      kind === undefined ||
      !isTelemetryKind(kind) ||
      names.length !== 2 ||
      namespace === undefined ||
      service === undefined
    ) {
      throw this.#unknown(subject);
    }
    return { kind, namespace, service };
  }

  // --- everything else ---

  queue(group: "pilot" | "mixer" | "ca"): string {
    return `${this.prefix}-${group}`;
  }

  /** A client's own inbox prefix: nobody else may subscribe below it. */
  inbox(...names: string[]): string {
    return `_INBOX.${tableKey(...names)}`;
  }

  redisKey(...names: string[]): string {
    return `${this.prefix}:${names.join(":")}`;
  }

  #proxySubject(root: string, { namespace, serviceAccount, proxy }: ProxyIdentity): string {
    return `${this.prefix}.${root}.${tableKey(namespace, serviceAccount, proxy)}`;
  }

  #parseProxySubject(root: string, subject: string): ProxyIdentity {
    const rest = this.#strip(subject);
    const [namespace, serviceAccount, proxy, ...more] = rest.startsWith(root)
      ? parseTableKey(rest.slice(root.length))
      : [];
    if (namespace === undefined || serviceAccount === undefined || proxy === undefined || more.length > 0) {
      throw this.#unknown(subject);
    }
    return { namespace, serviceAccount, proxy };
  }

  #strip(subject: string): string {
    if (!subject.startsWith(`${this.prefix}.`)) throw this.#unknown(subject);
    return subject.slice(this.prefix.length + 1);
  }

  #unknown(subject: string): WireError {
    return new WireError(`unknown subject ${JSON.stringify(subject)}`);
  }
}
