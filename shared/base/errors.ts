/**
 * The errors of the mesh, sorted by what a caller can do about them. Match on `code`, never on text.
 * One edge maps them to an answer: HTTP status in the proxy, headers on the bus, text in the command line.
 */

export interface ErrorOptionsWithDetails extends ErrorOptions {
  /** Machine-readable context, safe to show. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Each code with its gRPC status number and the HTTP status that it answers with. */
export const ERROR_CODES = {
  ERR_MESH_INVALID_ARGUMENT: { grpc: 3, http: 400, retryable: false },
  ERR_MESH_CONFIG: { grpc: 9, http: 500, retryable: false },
  ERR_MESH_TIMEOUT: { grpc: 4, http: 504, retryable: true },
  ERR_MESH_UNAVAILABLE: { grpc: 14, http: 503, retryable: true },
  ERR_MESH_NOT_FOUND: { grpc: 5, http: 404, retryable: false },
  ERR_MESH_DENIED: { grpc: 7, http: 403, retryable: false },
  ERR_MESH_QUOTA_EXCEEDED: { grpc: 8, http: 429, retryable: false },
  ERR_MESH_CONFLICT: { grpc: 10, http: 409, retryable: false },
  ERR_MESH_WIRE: { grpc: 3, http: 502, retryable: false },
  ERR_MESH_INTERNAL: { grpc: 13, http: 500, retryable: false },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptionsWithDetails = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = options.details;
  }

  /** Whether the same request may succeed later, unchanged. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

export class InvalidArgumentError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_INVALID_ARGUMENT", message, options);
  }
}

/** A process's own settings are wrong. */
export class ConfigError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_CONFIG", message, options);
  }
}

export class TimeoutError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_TIMEOUT", message, options);
  }
}

/** Nobody answers now: not connected, or no responder. */
export class UnavailableError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_UNAVAILABLE", message, options);
  }
}

export class NotFoundError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_NOT_FOUND", message, options);
  }
}

export class DeniedError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_DENIED", message, options);
  }
}

export class QuotaExceededError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_QUOTA_EXCEEDED", message, options);
  }
}

/** Somebody else changed it first. */
export class ConflictError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_CONFLICT", message, options);
  }
}

/** Bytes that are not what their subject or type says. */
export class WireError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_WIRE", message, options);
  }
}

export class InternalError extends MeshError {
  constructor(message: string, options?: ErrorOptionsWithDetails) {
    super("ERR_MESH_INTERNAL", message, options);
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}

/** The text of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
