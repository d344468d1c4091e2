import type { CompiledTableName } from "../../services/pilot/compile/compiled-tables.ts";
import { Compiler } from "../../services/pilot/compile/compiler.ts";
import { splitAuthority } from "../../services/proxy/route/authority.ts";
import { ConfigError } from "../../shared/base/index.ts";
import { parseSubmission } from "../../shared/model/documents.ts";
import {
  accepted,
  createKindRegistry,
  formatKey,
  GATEWAY,
  isKind,
  keyOf,
  type ParsedResource,
} from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import { GatewayConfig, HostsConfig, ServiceConfig, tableKey, WorkloadConfig } from "../../shared/wire/index.ts";
import type { DocumentFile } from "../documents.ts";
import { AssumedServices, assumedService } from "./assumed-services.ts";
import type { MeshSource } from "./mesh-source.ts";
import { concerns, type PendingRule } from "./pending.ts";
import type { ExplainedRequest } from "./request.ts";

/** What Pilot would make of files, by its own compiler. The order of the documents stands for their age. */
export class FileSource implements MeshSource {
  readonly #compiler: Compiler;
  readonly #resources: readonly ParsedResource[];

  /** Throws ConfigError for the first document that is not valid. */
  constructor(files: readonly DocumentFile[], { head, caller, gateway }: ExplainedRequest) {
    const resources = files.flatMap(readResources).map(aged);
    this.#resources = resources;
    const services = new AssumedServices();
    services.addAll(resources);
    if (gateway === undefined) {
      const { host, port } = splitAuthority(head.authority);
      const asked = assumedService(host, caller.namespace);
      if (asked !== undefined) services.ask(asked, port ?? 0);
      services.add({ namespace: caller.namespace, service: caller.service || "caller" }, 0);
    } else {
      const selectors = resources.flatMap((resource) => (isKind(resource, GATEWAY) ? [resource.parsed.selector] : []));
      services.addGateway({ namespace: gateway.namespace, service: gateway.name }, selectors);
    }
    this.#compiler = new Compiler(services);
    for (const key of services.keys()) this.#compiler.serviceChanged(key, true);
    for (const resource of resources) this.#compiler.put(resource);
  }

  async service(namespace: string, service: string): Promise<ServiceConfig | undefined> {
    const body = this.#compiler.compileService(tableKey(namespace, service), 1);
    if (body === undefined) return undefined;
    const { targets: _, ...config } = body;
    return ServiceConfig.decode(ServiceConfig.encode(config));
  }

  async endpoints(): Promise<undefined> {
    return undefined;
  }

  async hosts(namespace: string): Promise<HostsConfig | undefined> {
    const bytes = this.#compile("hosts", tableKey(namespace));
    return bytes && HostsConfig.decode(bytes);
  }

  async gateway(namespace: string, name: string): Promise<GatewayConfig | undefined> {
    const bytes = this.#compile("gateway", tableKey(namespace, name));
    return bytes && GatewayConfig.decode(bytes);
  }

  async workload(namespace: string): Promise<WorkloadConfig | undefined> {
    const bytes = this.#compile("workload", tableKey(namespace));
    return bytes && WorkloadConfig.decode(bytes);
  }

  async plan(): Promise<undefined> {
    return undefined;
  }

  async pending(hosts: readonly string[]): Promise<readonly PendingRule[]> {
    return this.#resources.flatMap((each) => {
      const rule = formatKey(keyOf(each.resource));
      const reason = this.#compiler.pendingReason(rule);
      return reason !== undefined && concerns(each, hosts) ? [{ rule, reason }] : [];
    });
  }

  /** What files cannot tell. */
  get remarks(): readonly string[] {
    return [
      "from files: every service, version and port that they name is taken to be there; instances, and what Mixer checks, are known to a running mesh only",
    ];
  }

  #compile(table: CompiledTableName, key: string): Uint8Array | undefined {
    return this.#compiler.compile(table, key)?.encode([]);
  }
}

function readResources({ name, text }: DocumentFile): ParsedResource[] {
  return parseSubmission(text, createKindRegistry(POLICY_KINDS)).map((document) => {
    if (document.ok) return document.parsed;
    const [first] = document.errors;
    throw new ConfigError(
      `${name}: document ${document.document + 1}: ${first?.path ?? ""}: ${first?.reason ?? "not valid"}; lateen validate -f ${name} tells all`,
    );
  });
}

function aged(parsed: ParsedResource, place: number): ParsedResource {
  const resource = accepted(parsed.resource, place + 1, new Date(place).toISOString());
  return { ...parsed, resource };
}
