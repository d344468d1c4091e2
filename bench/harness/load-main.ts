import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";

/*
 * A closed-loop load generator on raw sockets: each connection sends its next request when it has the whole answer.
 * Answers must carry content-length. Prints one JSON line: {requests, errors, seconds, p50Ms, p99Ms}.
 */
const { values } = parseArgs({
  options: {
    port: { type: "string" },
    host: { type: "string" },
    path: { type: "string", default: "/" },
    connections: { type: "string", default: "64" },
    seconds: { type: "string", default: "3" },
  },
});
const port = Number(values.port);
const seconds = Number(values.seconds);
const request = Buffer.from(
  `GET ${values.path} HTTP/1.1\r\nhost: ${values.host}\r\nuser-agent: lateen-bench\r\naccept: */*\r\n\r\n`,
);
const HEAD_END = Buffer.from("\r\n\r\n");
const MAX_SAMPLES = 4_000_000;

const latenciesMs = new Float32Array(MAX_SAMPLES);
let samples = 0;
let errors = 0;
let stopped = false;
const sockets = new Set<Socket>();

/** The whole length of the answer whose head ends at `headEnd`, or -1 when it is not a good one. */
function answerLength(data: Buffer, headEnd: number): number {
  const head = data.toString("latin1", 0, headEnd).toLowerCase();
  if (!head.startsWith("http/1.1 200")) return -1;
  const at = head.indexOf("content-length:");
  return at < 0 ? -1 : headEnd + HEAD_END.length + Number.parseInt(head.slice(at + 15), 10);
}

function open(): void {
  let startedMs = 0;
  let rest: Buffer | undefined;
  let isCounted = false;
  const send = () => {
    startedMs = performance.now();
    socket.write(request);
  };
  const fail = () => {
    if (!stopped && !isCounted) errors++;
    isCounted = true;
    socket.destroy();
  };
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }, send);
  sockets.add(socket);
  socket.on("data", (chunk: Buffer) => {
    const data = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    const headEnd = data.indexOf(HEAD_END);
    if (headEnd < 0) {
      rest = data;
      return;
    }
    const length = answerLength(data, headEnd);
    if (length < 0) {
      fail();
      return;
    }
    if (data.length < length) {
      rest = data;
      return;
    }
    rest = undefined;
    if (samples < MAX_SAMPLES) latenciesMs[samples] = performance.now() - startedMs;
    samples++;
    if (!stopped) send();
  });
  socket.on("error", fail);
  socket.on("close", () => {
    sockets.delete(socket);
    fail();
    if (!stopped) setTimeout(open, 10);
  });
}

const startedMs = performance.now();
for (let i = 0; i < Number(values.connections); i++) open();
setTimeout(() => {
  stopped = true;
  const elapsed = (performance.now() - startedMs) / 1000;
  const sorted = latenciesMs.slice(0, Math.min(samples, MAX_SAMPLES)).sort();
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
  const line = { requests: samples, errors, seconds: elapsed, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
  for (const socket of sockets) socket.destroy();
  process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(0));
}, seconds * 1000);
