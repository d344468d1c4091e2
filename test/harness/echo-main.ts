import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A small application as a process: answers with the body that it was sent, or with the path, and says which instance
 * it is and by which rule the request came. On SIGTERM it finishes what is under way and ends.
 */
const { INSTANCE = "" } = process.env;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = chunks.length === 0 ? (request.url ?? "") : Buffer.concat(chunks);
    const seen = String(request.headers["x-revision"] ?? "");
    response
      .writeHead(200, { "content-length": body.length, "x-instance": INSTANCE, "x-seen-revision": seen })
      .end(body);
  });
});

process.on("SIGTERM", () => server.close(() => process.exit(0)));
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ ready: true, ports: { http: (server.address() as AddressInfo).port } })}\n`);
});
