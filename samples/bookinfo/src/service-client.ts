import { Agent, request as httpRequest, type IncomingMessage } from "node:http";

export interface ServiceAnswer {
  readonly status: number;
  readonly body: string;
}

/** Calls another service of the application. Rejects when no complete answer came in time. */
export type CallService = (
  /** host:port */
  service: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
) => Promise<ServiceAnswer>;

export interface ServiceClient {
  readonly call: CallService;
  close(): void;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_SOCKETS = 256;
// A kept connection may die just as it is reused. One that failed before any answer is replaced, at most this often.
const MAX_STALE_CONNECTIONS = 3;

/**
 * A client that keeps its connections. With a proxy it sends absolute-form requests to the proxy and never resolves a
 * name itself: the mesh is the name service.
 */
export function createServiceClient(proxy: URL | undefined): ServiceClient {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  return {
    async call(service, path, headers, timeoutMs) {
      const target = new URL(`http://${service}`);
      const hop = proxy ?? target;
      const options = {
        agent,
        host: hop.hostname.replace(/^\[|\]$/g, ""),
        port: hop.port === "" ? 80 : Number(hop.port),
        path: proxy === undefined ? path : `http://${service}${path}`,
        headers: { ...headers, host: service, accept: "application/json" },
      };
      const signal = AbortSignal.timeout(timeoutMs);
      for (let attempt = 0; ; attempt++) {
        try {
          return await get(options, signal);
        } catch (error) {
          if (!(error instanceof StaleConnectionError) || attempt === MAX_STALE_CONNECTIONS) throw error;
        }
      }
    },
    close: () => agent.destroy(),
  };
}

class StaleConnectionError extends Error {}

function get(options: Parameters<typeof httpRequest>[1] & object, signal: AbortSignal): Promise<ServiceAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...options, signal }, (response) => {
      collect(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(isStale ? new StaleConnectionError(error.message, { cause: error }) : error);
    });
    request.end();
  });
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
