import {
  isKind,
  MESH_CONFIG,
  type MeshConfigSpec,
  type ParsedResource,
  ROOT_NAMESPACE,
  SIDECAR,
  type SidecarSpec,
} from "../../../shared/model/index.ts";
import {
  type MeshDefaultsInput,
  type ScopedHostInput,
  type SidecarScopeInput,
  tableKey,
} from "../../../shared/wire/index.ts";
import { type Affected, affected, merged, NOTHING } from "./affected.ts";
import { type Aged, agedOf, compareAge } from "./age.ts";
import type { Concern } from "./concern.ts";
import { sortedLabels } from "./labels.ts";

/**
 * What is set for the workloads of a namespace by Sidecar resources, and for all of them by the MeshConfig of the root
 * namespace. Which of a namespace's Sidecars is a workload's own is decided by the proxy: those for certain labels come first, the
 * older before the younger, then the one for the whole namespace (the oldest, when there are several).
 */
export interface WorkloadBody {
  readonly mesh?: MeshDefaultsInput;
  readonly sidecars: readonly SidecarScopeInput[];
}

interface SidecarEntry extends Aged {
  readonly revision: number;
  readonly spec: SidecarSpec;
}

/** A namespace that no workload has. */
const NOWHERE: ScopedHostInput = { namespace: "~", host: "*" };

export class WorkloadSettings implements Concern {
  readonly kinds = ["sidecar", "meshconfig"];
  readonly #meshChanged: (mesh: MeshConfigSpec | undefined) => Affected;
  readonly #sidecars = new Map<string, Map<string, SidecarEntry>>();
  #mesh: { readonly rule: string; readonly spec: MeshConfigSpec } | undefined;

  /** `meshChanged`: what else a change of the mesh's configuration affects. */
  constructor(meshChanged: (mesh: MeshConfigSpec | undefined) => Affected = () => NOTHING) {
    this.#meshChanged = meshChanged;
  }

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    const { namespace } = resource.resource.metadata;
    if (isKind(resource, MESH_CONFIG)) {
      return namespace === ROOT_NAMESPACE ? this.#setMesh({ rule, spec: resource.parsed }) : NOTHING;
    }
    if (!isKind(resource, SIDECAR)) return NOTHING;
    const entries = this.#sidecars.get(namespace) ?? new Map<string, SidecarEntry>();
    entries.set(rule, { ...agedOf(resource.resource), revision, spec: resource.parsed });
    this.#sidecars.set(namespace, entries);
    return settingsOf(namespace);
  }

  remove(rule: string): Affected {
    if (this.#mesh?.rule === rule) return this.#setMesh(undefined);
    const namespace = namespaceOf(rule);
    const entries = this.#sidecars.get(namespace);
    if (entries?.delete(rule) !== true) return NOTHING;
    if (entries.size === 0) this.#sidecars.delete(namespace);
    return settingsOf(namespace);
  }

  touchedBy(rule: string): Affected {
    const namespace = namespaceOf(rule);
    const isKnown = this.#mesh?.rule === rule || this.#sidecars.get(namespace)?.has(rule) === true;
    return isKnown ? settingsOf(namespace) : NOTHING;
  }

  /** Those for which something is set. */
  namespaces(): string[] {
    const mesh = this.#mesh === undefined ? [] : [ROOT_NAMESPACE];
    return [...new Set([...mesh, ...this.#sidecars.keys()])];
  }

  /** Undefined when nothing is set for the namespace. */
  compile(namespace: string): WorkloadBody | undefined {
    const mesh = namespace === ROOT_NAMESPACE ? this.#mesh : undefined;
    const entries = [...(this.#sidecars.get(namespace)?.values() ?? [])].sort(compareAge);
    if (mesh === undefined && entries.length === 0) return undefined;
    const chosen = entries.filter(({ spec }) => spec.workloadLabels !== undefined);
    const forAll = entries.find(({ spec }) => spec.workloadLabels === undefined);
    return {
      ...(mesh !== undefined && { mesh: toMeshDefaults(mesh.spec) }),
      sidecars: [...chosen, ...(forAll === undefined ? [] : [forAll])].map(toScope),
    };
  }

  #setMesh(mesh: { readonly rule: string; readonly spec: MeshConfigSpec } | undefined): Affected {
    this.#mesh = mesh;
    return merged(settingsOf(ROOT_NAMESPACE), this.#meshChanged(mesh?.spec));
  }
}

function settingsOf(namespace: string): Affected {
  return affected({ workloads: [tableKey(namespace)] });
}

function namespaceOf(rule: string): string {
  const [, namespace = ""] = rule.split("/");
  return namespace;
}

function toScope({ rule, revision, spec }: SidecarEntry): SidecarScopeInput {
  const { egressHosts, outboundTrafficPolicy, workloadLabels = {} } = spec;
  return {
    rule,
    revision,
    labels: sortedLabels(workloadLabels),
    // None at all would mean everything.
    egressHosts:
      egressHosts?.length === 0 ? [NOWHERE] : (egressHosts ?? []).map(({ namespace, host }) => ({ namespace, host })),
    ...(outboundTrafficPolicy !== undefined && { outboundTrafficPolicy }),
  };
}

function toMeshDefaults(spec: MeshConfigSpec): MeshDefaultsInput {
  const { outboundTrafficPolicy, accessLogFile, accessLogFormat, accessLogEncoding, enableTracing } = spec;
  return {
    ...(outboundTrafficPolicy !== undefined && { outboundTrafficPolicy }),
    ...(accessLogFile !== undefined && { accessLogFile }),
    ...(accessLogFormat !== undefined && { accessLogFormat }),
    ...(accessLogEncoding !== undefined && { accessLogEncoding }),
    ...(enableTracing !== undefined && { tracing: enableTracing }),
    ...(spec.tracingSampling !== undefined && { tracingSampling: spec.tracingSampling }),
  };
}
