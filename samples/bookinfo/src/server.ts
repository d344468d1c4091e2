import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** What a handler sees of a request. */
export interface AppRequest {
  readonly headers: IncomingHttpHeaders;
  /** The groups of the route's pattern, percent-decoded. */
  readonly parameters: readonly string[];
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** Matched against the whole path, without its query. */
  readonly pattern: RegExp;
  handle(request: AppRequest): Answer | Promise<Answer>;
}

export interface AppServer {
  readonly port: number;
  /** Stops accepting, lets running requests finish, closes what is left after the deadline (milliseconds). */
  close(deadlineMs: number): Promise<void>;
}

const MAX_BODY_BYTES = 64 * 1024;
// Longer than any client keeps an idle connection: the side that sends the next request should be the one that closes.
const IDLE_CONNECTION_MS = 120_000;

export function jsonAnswer(status: number, value: unknown): Answer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

/** Serves the routes; an unknown path answers 404, a known one with another method 405. */
export function startServer(routes: readonly Route[], host: string, port: number): Promise<AppServer> {
  let closing = false;
  const server = createServer({ keepAliveTimeout: IDLE_CONNECTION_MS }, (request, response) => {
    answerRequest(routes, request).then(
      (answer) => writeAnswer(request, response, answer, closing),
      (error: unknown) => writeAnswer(request, response, failureAnswer(error), true),
    );
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve({
        port: (server.address() as AddressInfo).port,
        close(deadlineMs) {
          closing = true;
          return closeServer(server, deadlineMs);
        },
      });
    });
  });
}

class BodyTooLargeError extends Error {}

async function answerRequest(routes: readonly Route[], request: IncomingMessage): Promise<Answer> {
  const method = request.method === "HEAD" ? "GET" : request.method;
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  let isKnownPath = false;
  for (const route of routes) {
    const match = route.pattern.exec(path);
    if (match === null) continue;
    isKnownPath = true;
    if (route.method !== method) continue;
    const parameters = match.slice(1).map(decode);
    if (parameters.includes(undefined)) return jsonAnswer(400, { error: "malformed path" });
    const body = await readBody(request);
    return route.handle({ headers: request.headers, parameters: parameters as string[], body });
  }
  return isKnownPath ? jsonAnswer(405, { error: "method not allowed" }) : jsonAnswer(404, { error: "not found" });
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new BodyTooLargeError("request body too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function failureAnswer(error: unknown): Answer {
  return error instanceof BodyTooLargeError
    ? jsonAnswer(413, { error: error.message })
    : jsonAnswer(500, { error: "internal error" });
}

function writeAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer, isLast: boolean): void {
  if (response.destroyed) return;
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  if (isLast) response.setHeader("connection", "close");
  response.setHeader("content-length", Buffer.byteLength(answer.body));
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

function closeServer(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), deadlineMs);
    server.close(() => {
      clearTimeout(deadline);
      resolve();
    });
    server.closeIdleConnections();
  });
}
