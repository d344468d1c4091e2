import {
  ConfigError,
  ConflictError,
  DeniedError,
  type ErrorCode,
  InternalError,
  InvalidArgumentError,
  isErrorCode,
  MeshError,
  NotFoundError,
  QuotaExceededError,
  TimeoutError,
  UnavailableError,
  WireError,
} from "../base/index.ts";
import type { BusHeaders, BusMessage } from "./message.ts";

/** An error crosses the bus as two headers over an empty body. */
export const ERROR_CODE_HEADER = "Mesh-Error-Code";
export const ERROR_TEXT_HEADER = "Mesh-Error";

const MAX_TEXT_LENGTH = 1024;

const CLASSES: Readonly<Record<ErrorCode, new (message: string) => MeshError>> = {
  ERR_MESH_INVALID_ARGUMENT: InvalidArgumentError,
  ERR_MESH_CONFIG: ConfigError,
  ERR_MESH_TIMEOUT: TimeoutError,
  ERR_MESH_UNAVAILABLE: UnavailableError,
  ERR_MESH_NOT_FOUND: NotFoundError,
  ERR_MESH_DENIED: DeniedError,
  ERR_MESH_QUOTA_EXCEEDED: QuotaExceededError,
  ERR_MESH_CONFLICT: ConflictError,
  ERR_MESH_WIRE: WireError,
  ERR_MESH_INTERNAL: InternalError,
};

/** The headers of an error answer. What is not a MeshError says nothing of itself. */
export function errorHeaders(error: unknown): BusHeaders {
  if (!(error instanceof MeshError)) {
    return { [ERROR_CODE_HEADER]: "ERR_MESH_INTERNAL", [ERROR_TEXT_HEADER]: "internal error" };
  }
  return { [ERROR_CODE_HEADER]: error.code, [ERROR_TEXT_HEADER]: error.message.slice(0, MAX_TEXT_LENGTH) };
}

/** Rebuilds the error that an answer carries; undefined when it carries none. */
export function errorOf(message: BusMessage): MeshError | undefined {
  const code = message.header(ERROR_CODE_HEADER);
  if (code === undefined) return undefined;
  return rebuiltError(code, message.header(ERROR_TEXT_HEADER) ?? "");
}

/** The error that had this code and text in another process. */
export function rebuiltError(code: string, text: string): MeshError {
  return isErrorCode(code) ? new CLASSES[code](text) : new InternalError(`${code}: ${text}`);
}
