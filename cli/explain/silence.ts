import { MeshError } from "../../shared/base/index.ts";

const SILENT: readonly string[] = ["ERR_MESH_TIMEOUT", "ERR_MESH_UNAVAILABLE", "ERR_MESH_NOT_FOUND"];

/** For `catch`: nobody has answered, and the tables on the bus tell most of it all the same. Throws any other error again. */
export function unlessSilent(error: unknown): undefined {
  if (error instanceof MeshError && SILENT.includes(error.code)) return undefined;
  throw error;
}
