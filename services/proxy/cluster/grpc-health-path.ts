/** Where a sidecar is asked for its application's gRPC health. */
const PATH = "/grpc.health.v1.Health/Check/";

export function grpcHealthPath(service: string): string {
  return PATH + encodeURIComponent(service);
}

/** The service that a path asks for; undefined when it asks for something else. */
export function grpcServiceOf(path: string): string | undefined {
  if (!path.startsWith(PATH)) return undefined;
  try {
    return decodeURIComponent(path.slice(PATH.length));
  } catch {
    return undefined;
  }
}
