import { FieldParser } from "../../services/proxy/codec/http1-fields.ts";
import { headText, parseRequestHead } from "../../services/proxy/codec/http1-head.ts";
import { DEFAULT_LIMITS } from "../../services/proxy/codec/http1-settings.ts";
import { Batch } from "../../services/proxy/report/batch.ts";
import { compilePlan } from "../../services/proxy/report/compiled-plan.ts";
import { RowTable } from "../../services/proxy/report/row-table.ts";
import { compileReader } from "../../services/proxy/stream/attributes.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { RequestRecord } from "../../services/proxy/stream/record.ts";
import { Plan, ReportBatch } from "../../shared/wire/index.ts";
import { median, withSpread } from "../harness/statistics.ts";
import { printTable } from "../harness/table.ts";
import { APP, CALLER, SidecarPath } from "./sidecar-path.ts";

/*
 * `npm run bench -- micro`: what our own code costs a request, without sockets, kernel or peers. Steadier than any
 * measurement of a whole process, so it is what a change to the data path is tried with.
 */
const ROUNDS = 21;
const WARM_UP_ROUNDS = 5;

/** Nanoseconds an operation, round by round. */
function measure(operations: number, run: () => void): number[] {
  const rounds: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const { user, system } = process.cpuUsage();
    for (let i = 0; i < operations; i++) run();
    const used = process.cpuUsage({ user, system });
    if (round >= 0) rounds.push(((used.user + used.system) * 1_000) / operations);
  }
  return rounds;
}

const PEER_NAMES = ["labels[version]", "namespace", "principal", "service", "workload"];
const PEERS = ["source", "destination"].flatMap((side) => PEER_NAMES.map((name) => `${side}.${name}`));
const PLAN = compilePlan(
  Plan.decode(
    Plan.encode({
      outbound: {
        groupBy: [...PEERS, "connection.mtls", "response.code"],
        values: [{ attribute: "response.duration", bounds: [1, 5, 10, 25, 50, 100, 250, 500, 1_000] }],
      },
      inbound: {
        eachRequest: true,
        each: [...PEERS, "request.id", "request.method", "request.path", "request.time", "response.code"],
      },
    }),
  ),
  1,
  compileReader,
);

const HEAD = Buffer.from(
  "GET /products/7?lang=en HTTP/1.1\r\nhost: app:9080\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64)\r\naccept: */*\r\n" +
    "accept-encoding: gzip, deflate, br\r\ncookie: session=abcdefghijklmnopqrstuvwxyz; theme=dark\r\n" +
    "x-request-id: 2f1c7d5e-8a37-4b0e-9f4e-0d6a4f0c1b2a\r\n" +
    "traceparent: 00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01\r\n\r\n",
);

function head(): number[] {
  const fields = new FieldParser();
  return measure(100_000, () => parseRequestHead(headText(HEAD, 0, 0) ?? "", DEFAULT_LIMITS, fields));
}

function request(): number[] {
  const table = new RowTable<RequestRecord>();
  const path = new SidecarPath((record) => {
    if (PLAN.outbound !== undefined) table.add(PLAN.outbound, record, 0);
  });
  return measure(20_000, () => path.run());
}

function logRow(): number[] {
  const side = PLAN.inbound;
  if (side === undefined) return [];
  const table = new RowTable<RequestRecord>();
  const { authority, headers } = { authority: "app:9080", headers: new HeaderList() };
  const rows = 1_000;
  const rounds = measure(20, () => {
    for (let i = 0; i < rows; i++) {
      const line = { method: "GET", authority, scheme: "http", path: `/products/${i % 10}`, headers } as const;
      table.add(side, new RequestRecord("inbound", line, CALLER, APP, true), 0);
    }
    const batch = new Batch<RequestRecord>();
    for (const row of table.take(rows)) batch.add(row);
    ReportBatch.encode({ words: [...batch.words], peers: [...batch.peers], rows: [...batch.rows] });
  });
  return rounds.map((nanoseconds) => nanoseconds / rows);
}

const figures: readonly (readonly [string, number[]])[] = [
  ["a head of seven fields, parsed", head()],
  ["a request and its answer, all filters, without sockets", request()],
  ["a row for one request, kept, packed and encoded", logRow()],
];
printTable(
  `own code (${ROUNDS} rounds each; median, least..most), Node ${process.version}`,
  ["", "ns"],
  figures.map(([name, rounds]) => [name, withSpread(rounds, 0)]),
);
if (figures.some(([, rounds]) => !(median(rounds) > 0))) process.exitCode = 1;
process.exit();
