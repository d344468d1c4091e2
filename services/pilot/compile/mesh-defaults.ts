import { isKind, type MeshConfigSpec, type ParsedResource, ROOT_NAMESPACE } from "../../../shared/model/index.ts";
import { MESH_CONFIG } from "./kinds-temp.ts";

/** What the MeshConfig of the root namespace says about routes and policies that do not say it themselves. */
export class MeshDefaults {
  #rule = "";
  #spec: MeshConfigSpec | undefined;

  /** Undefined: nobody has said anything. */
  get spec(): MeshConfigSpec | undefined {
    return this.#spec;
  }

  /** `<kind>/<namespace>/<name>`. */
  get rule(): string {
    return this.#rule;
  }

  /** Whether it is the one that counts. */
  put(rule: string, resource: ParsedResource): boolean {
    if (!isKind(resource, MESH_CONFIG) || resource.resource.metadata.namespace !== ROOT_NAMESPACE) return false;
    this.#rule = rule;
    this.#spec = resource.parsed;
    return true;
  }

  remove(rule: string): boolean {
    if (rule !== this.#rule) return false;
    this.#rule = "";
    this.#spec = undefined;
    return true;
  }
}
