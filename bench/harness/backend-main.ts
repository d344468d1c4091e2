import { createServer, type Socket } from "node:net";

/*
 * The cheapest honest upstream, on raw sockets with keep-alive. It answers 64 bytes, and as many as the path says to
 * `/bytes/<count>`, in pieces of at most 64 KB. Of requests it reads where they end and no more: the head, and the body
 * of what begins with P (POST, PUT) by its content-length. Everything it sends was made before.
 */
const PIECE = Buffer.alloc(64 * 1024, "x");
const DEFAULT_BYTES = 64;
const HEAD_END = Buffer.from("\r\n\r\n");
/** Of `GET /bytes/`. */
const SIZED = Buffer.from("GET /bytes/");
const LETTER_P = 0x50;
const LETTER_B = 0x62;
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;

/** What is written for an answer, piece by piece; small ones are one piece. */
const answers = new Map<number, readonly Buffer[]>();

function answerOf(bytes: number): readonly Buffer[] {
  const known = answers.get(bytes);
  if (known !== undefined) return known;
  const head = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${bytes}\r\n\r\n`);
  const first = Math.min(bytes, PIECE.length);
  const pieces = [Buffer.concat([head, PIECE.subarray(0, first)])];
  for (let left = bytes - first; left > 0; left -= PIECE.length)
    pieces.push(PIECE.subarray(0, Math.min(left, PIECE.length)));
  answers.set(bytes, pieces);
  return pieces;
}

function sizeAsked(data: Buffer, start: number): number {
  if (data[start + 5] !== LETTER_B || data.compare(SIZED, 0, SIZED.length, start, start + SIZED.length) !== 0)
    return DEFAULT_BYTES;
  return Number.parseInt(data.toString("latin1", start + SIZED.length, start + SIZED.length + 12), 10);
}

function bodyLength(data: Buffer, start: number, headEnd: number): number {
  if (data[start] !== LETTER_P) return 0;
  return Number(CONTENT_LENGTH.exec(data.toString("latin1", start, headEnd))?.[1] ?? 0);
}

function serve(socket: Socket): void {
  let rest: Buffer | undefined;
  let bodyLeft = 0;
  let owed = DEFAULT_BYTES;
  const answer = () => {
    for (const piece of answerOf(owed)) socket.write(piece);
  };
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const data = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    let start = 0;
    if (bodyLeft > 0) {
      start = Math.min(bodyLeft, data.length);
      bodyLeft -= start;
      if (bodyLeft > 0) return;
      answer();
    }
    for (let end = data.indexOf(HEAD_END, start); end >= 0; end = data.indexOf(HEAD_END, start)) {
      owed = sizeAsked(data, start);
      const bodyStart = end + HEAD_END.length;
      const bodyEnd = bodyStart + bodyLength(data, start, end);
      start = Math.min(bodyEnd, data.length);
      bodyLeft = bodyEnd - start;
      if (bodyLeft > 0) return;
      answer();
    }
    if (start < data.length) rest = data.subarray(start);
  });
}

const server = createServer({ noDelay: true }, serve);
process.stdin.on("end", () => process.exit(0)).resume();
process.on("SIGTERM", () => process.exit(0));
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ ready: true, ports: { http: port } })}\n`);
});
