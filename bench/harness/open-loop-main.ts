import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { AnswerReader } from "./answer-reader.ts";
import { type OpenLoopReport, parseLoadTarget } from "./load.ts";
import { quantile } from "./statistics.ts";

/*
 * An open-loop load generator: requests are due at fixed times, whatever became of those before. One that finds no free
 * connection waits for one, and its latency counts from when it was due, so that a proxy which stalls is charged for
 * everybody whom it kept waiting. How late requests were sent although a connection was free is the generator's own
 * fault; it is part of each latency, of those without a proxy too, and reported. Prints its OpenLoopReport as one line.
 */
const { values } = parseArgs({
  options: {
    target: { type: "string", default: "{}" },
    rate: { type: "string", default: "1000" },
    seconds: { type: "string", default: "2" },
  },
});
const target = parseLoadTarget(values.target);
const ratePerSecond = Number(values.rate);
/** Sent first and not counted: meanwhile the generator's own code is compiled. */
const warmUp = Math.round(ratePerSecond / 4);
const total = warmUp + Math.round(ratePerSecond * Number(values.seconds));
const periodMs = 1000 / ratePerSecond;
/** Everything is connected and compiled when the first request is due. */
const START_IN_MS = 200;
const LAST_ANSWERS_MS = 5_000;

const request = Buffer.from(
  `GET ${target.path} HTTP/1.1\r\nhost: ${target.host}\r\nuser-agent: lateen-bench\r\naccept: */*\r\n\r\n`,
);
const latenciesMs = new Float64Array(total);
const lagsMs = new Float64Array(total);
/** The longest free is taken first. */
const free: Connection[] = [];
/** When each was due of those that wait for a connection. */
const waiting: number[] = [];
let due = 0;
let answered = 0;
let errors = 0;
let isFinished = false;
let startMs = 0;

class Connection {
  readonly #socket: Socket;
  readonly #reader = new AnswerReader();
  #dueMs: number | undefined;

  constructor(onOpen: () => void) {
    this.#socket = connect({ port: target.port, host: "127.0.0.1", noDelay: true }, onOpen);
    this.#socket.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.on("close", () => {
      if (!isFinished) fail("a connection was closed");
    });
  }

  send(dueMs: number): void {
    this.#dueMs = dueMs;
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const state = this.#dueMs === undefined ? "bad" : this.#reader.take(chunk);
    if (state === "more") return;
    if (state === "bad" || this.#dueMs === undefined) {
      fail("an answer was not 200");
      return;
    }
    latenciesMs[answered++] = performance.now() - this.#dueMs;
    this.#dueMs = undefined;
    const next = waiting.shift();
    if (next === undefined) free.push(this);
    else this.send(next);
    if (answered === total) finish();
  }
}

/** An open loop without all of its connections measures something else: it ends. */
function fail(reason: string): void {
  process.stderr.write(`${reason}\n`);
  errors++;
  finish();
}

function sendDue(): void {
  const nowMs = performance.now();
  for (; due < total && startMs + due * periodMs <= nowMs; due++) {
    const dueMs = startMs + due * periodMs;
    lagsMs[due] = nowMs - dueMs;
    const connection = free.shift();
    if (connection === undefined) waiting.push(dueMs);
    else connection.send(dueMs);
  }
}

function finish(): void {
  if (isFinished) return;
  isFinished = true;
  const sorted = latenciesMs.subarray(warmUp, answered).sort();
  const lags = lagsMs.subarray(warmUp, due).sort();
  const report: OpenLoopReport = {
    requests: answered,
    errors: errors + (total - answered),
    seconds: (performance.now() - startMs) / 1000,
    p50Ms: quantile(sorted, 0.5),
    p90Ms: quantile(sorted, 0.9),
    p99Ms: quantile(sorted, 0.99),
    lagP50Ms: quantile(lags, 0.5),
    lagP99Ms: quantile(lags, 0.99),
  };
  for (const connection of connections) connection.close();
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

// Whoever started it has gone.
process.stdin.on("end", () => process.exit(1)).resume();
const connections: Connection[] = [];
await Promise.all(
  Array.from(
    { length: target.connections },
    () =>
      new Promise<void>((resolve) => {
        connections.push(new Connection(resolve));
      }),
  ),
);
free.push(...connections);
startMs = performance.now() + START_IN_MS;
const startNs = process.hrtime.bigint() + BigInt(START_IN_MS) * 1_000_000n;
const ticker = new Worker(new URL("./ticker-thread.js", import.meta.url), {
  workerData: { startNs, periodNs: BigInt(Math.round(periodMs * 1e6)), ticks: total },
});
ticker.on("message", sendDue);
setTimeout(finish, START_IN_MS + total * periodMs + LAST_ANSWERS_MS);
