import { createServer } from "node:net";

/*
 * The cheapest honest upstream: a fixed 64-byte answer to every request head, keep-alive, on raw sockets. It looks for
 * the end of heads only, so requests must have no body.
 */
const BODY = "x".repeat(64);
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
);
const HEAD_END = Buffer.from("\r\n\r\n");

const server = createServer({ noDelay: true }, (socket) => {
  let rest: Buffer | undefined;
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const data = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = data.indexOf(HEAD_END); end >= 0; end = data.indexOf(HEAD_END, start)) {
      socket.write(ANSWER);
      start = end + HEAD_END.length;
    }
    rest = start === data.length ? undefined : data.subarray(start);
  });
});

process.stdin.on("end", () => process.exit(0)).resume();
process.on("SIGTERM", () => process.exit(0));
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ ready: true, ports: { http: port } })}\n`);
});
