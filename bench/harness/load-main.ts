import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { AnswerReader } from "./answer-reader.ts";
import { type LoadReport, parseLoadTarget } from "./load.ts";
import { quantile } from "./statistics.ts";

/*
 * A closed-loop load generator on raw sockets: each connection sends its next request when it has the whole answer. It
 * sends for `--seconds` or `--requests` of them, whichever ends first, takes the answers that are under way (a request cut off would cost a
 * proxy its connection to the next one), and prints its LoadReport as one line; with `--progress-every` also a line
 * {"progress":<requests>} each time that many more were answered. A connection that the other side closes is an error.
 */
const { values } = parseArgs({
  options: {
    target: { type: "string", default: "{}" },
    seconds: { type: "string", default: "0" },
    requests: { type: "string", default: "0" },
    "progress-every": { type: "string", default: "0" },
  },
});
const target = parseLoadTarget(values.target);
const seconds = Number(values.seconds);
const maxRequests = Number(values.requests);
const progressEvery = Number(values["progress-every"]);
const MAX_SAMPLES = 4_000_000;
const RECONNECT_MS = 10;
/** For the answers under way at the end; what is missing then is an error. */
const LAST_ANSWERS_MS = 5_000;

const requests = requestsOf();
const latenciesMs = new Float32Array(MAX_SAMPLES);
let samples = 0;
let sent = 0;
let errors = 0;
let underWay = 0;
let isStopping = false;
let isFinished = false;
const sockets = new Set<Socket>();

/** The bytes of a request for each path; consecutive ones are far apart. */
function requestsOf(): readonly Buffer[] {
  const { host, path, paths, uploadBytes } = target;
  const method = uploadBytes > 0 ? "POST" : "GET";
  const length = uploadBytes > 0 ? `content-length: ${uploadBytes}\r\n` : "";
  const body = Buffer.alloc(uploadBytes, "x");
  return Array.from({ length: paths }, (_, index) => {
    const place = (index * 617) % paths;
    const head = `${method} ${path.replace("{}", String(place))} HTTP/1.1\r\nhost: ${host}\r\nuser-agent: lateen-bench\r\naccept: */*\r\n${length}\r\n`;
    return Buffer.concat([Buffer.from(head), body]);
  });
}

function open(): void {
  const reader = new AnswerReader();
  let sentMs = 0;
  let isWaiting = false;
  let hasFailed = false;
  const next = () => {
    if (isStopping) {
      if (underWay === 0) finish();
      return;
    }
    sentMs = performance.now();
    isWaiting = true;
    underWay++;
    socket.write(requests[sent++ % requests.length] ?? "");
    if (sent === maxRequests) stop();
  };
  const settle = () => {
    if (isWaiting) underWay--;
    isWaiting = false;
  };
  const fail = () => {
    if (!isFinished && !hasFailed) errors++;
    hasFailed = true;
    socket.destroy();
  };
  const socket = connect({ port: target.port, host: "127.0.0.1", noDelay: true }, next);
  sockets.add(socket);
  socket.on("data", (chunk: Buffer) => {
    const state = isWaiting ? reader.take(chunk) : "bad";
    if (state === "more") return;
    if (state === "bad") {
      fail();
      return;
    }
    if (samples < MAX_SAMPLES) latenciesMs[samples] = performance.now() - sentMs;
    samples++;
    if (progressEvery > 0 && samples % progressEvery === 0)
      process.stdout.write(`${JSON.stringify({ progress: samples })}\n`);
    settle();
    next();
  });
  socket.on("error", fail);
  socket.on("close", () => {
    sockets.delete(socket);
    fail();
    settle();
    if (!isStopping) setTimeout(open, RECONNECT_MS);
    else if (underWay === 0) finish();
  });
}

function stop(): void {
  isStopping = true;
  if (underWay === 0) finish();
  setTimeout(finish, LAST_ANSWERS_MS);
}

function finish(): void {
  if (isFinished) return;
  isFinished = true;
  errors += underWay;
  const elapsed = (performance.now() - startedMs) / 1000;
  const sorted = latenciesMs.slice(0, Math.min(samples, MAX_SAMPLES)).sort();
  const report: LoadReport = {
    requests: samples,
    errors,
    seconds: elapsed,
    p50Ms: quantile(sorted, 0.5),
    p90Ms: quantile(sorted, 0.9),
    p99Ms: quantile(sorted, 0.99),
  };
  for (const socket of sockets) socket.destroy();
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

// Whoever started it has gone.
process.stdin.on("end", () => process.exit(1)).resume();
const startedMs = performance.now();
for (let i = 0; i < target.connections; i++) open();
if (seconds > 0) setTimeout(stop, seconds * 1000);
