/** Each gRPC status, at its number: its name, and the HTTP status that stands for it. */
const STATUSES: readonly (readonly [name: string, http: number])[] = [
  ["OK", 200],
  ["CANCELLED", 499],
  ["UNKNOWN", 500],
  ["INVALID_ARGUMENT", 400],
  ["DEADLINE_EXCEEDED", 504],
  ["NOT_FOUND", 404],
  ["ALREADY_EXISTS", 409],
  ["PERMISSION_DENIED", 403],
  ["RESOURCE_EXHAUSTED", 429],
  ["FAILED_PRECONDITION", 400],
  ["ABORTED", 409],
  ["OUT_OF_RANGE", 400],
  ["UNIMPLEMENTED", 501],
  ["INTERNAL", 500],
  ["UNAVAILABLE", 503],
  ["DATA_LOSS", 500],
  ["UNAUTHENTICATED", 401],
];

export const GRPC_OK = 0;
export const GRPC_RESOURCE_EXHAUSTED = 8;
export const GRPC_INTERNAL = 13;
export const GRPC_UNAVAILABLE = 14;

/** By number, from OK to UNAUTHENTICATED. */
export const GRPC_STATUS_NAMES: readonly string[] = STATUSES.map(([name]) => name);

/** The status code's name; UNKNOWN for a number that gRPC does not know. */
export function grpcStatusName(code: number): string {
  return GRPC_STATUS_NAMES[code] ?? "UNKNOWN";
}

/** The HTTP status for a gRPC status code; 500 for a number that gRPC does not know. */
export function httpStatusOf(code: number): number {
  return STATUSES[code]?.[1] ?? 500;
}
