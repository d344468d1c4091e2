import {
  type LogCommand,
  type LogHeader,
  type LogOperator,
  type LogPart,
  type LogTree,
  parseLogFormat,
  parseLogTree,
} from "../../shared/model/index.ts";
import { PROTOCOL, startTime, upstreamLocalAddress } from "./access-log-facts.ts";
import type { RequestRecord } from "./stream/record.ts";

/* Lines of a form that the mesh's operator has written. It is read once; a line costs a function a part. */

type Value = string | number;
type Read = (record: RequestRecord) => Value;

const ABSENT = "-";

/** Throws on a format that cannot be read. */
export function customLine(encoding: "json" | "text", format: string): (record: RequestRecord) => string {
  if (encoding === "json") {
    const read = treeReader(parseLogTree(format));
    return (record) => `${JSON.stringify(read(record))}\n`;
  }
  const read = textReader(parseLogFormat(format.endsWith("\n") ? format : `${format}\n`), escaped);
  return (record) => read(record);
}

function treeReader(tree: LogTree): (record: RequestRecord) => unknown {
  if (Array.isArray(tree)) {
    const parts = tree as readonly LogPart[];
    const [only] = parts;
    // One operator alone keeps its type: numbers stay numbers.
    if (parts.length === 1 && only !== undefined && typeof only !== "string") return reader(only);
    return textReader(parts, String);
  }
  const fields = Object.entries(tree).map(([name, each]) => [name, treeReader(each)] as const);
  return (record) => Object.fromEntries(fields.map(([name, read]) => [name, read(record)]));
}

function textReader(parts: readonly LogPart[], write: (value: Value) => string): (record: RequestRecord) => string {
  const reads = parts.map((part) => {
    if (typeof part === "string") return () => part;
    const read = reader(part);
    return (record: RequestRecord) => write(read(record));
  });
  return (record) => {
    let line = "";
    for (const read of reads) line += read(record);
    return line;
  };
}

/** A quote in what a client says ends no field. */
function escaped(value: Value): string {
  return typeof value === "string" && /["\\]/.test(value) ? value.replace(/["\\]/g, "\\$&") : String(value);
}

function reader({ what, maxLength }: LogCommand): Read {
  const read = typeof what === "string" ? OPERATORS[what] : headerReader(what);
  if (maxLength === Number.POSITIVE_INFINITY) return read;
  return (record) => {
    const value = read(record);
    return typeof value === "string" ? value.slice(0, maxLength) : value;
  };
}

function headerReader({ of, names }: LogHeader): Read {
  const values = of === "REQ" ? requestValue : responseValue;
  return (record) => {
    for (const name of names) {
      const value = values(record, name);
      if (value !== undefined && value !== "") return value;
    }
    return ABSENT;
  };
}

function requestValue({ head }: RequestRecord, name: string): string | undefined {
  switch (name) {
    case ":method":
      return head.method;
    case ":path":
      return head.path;
    case ":authority":
    case "host":
      return head.authority;
    case ":scheme":
      return head.scheme;
    default:
      return head.headers.get(name);
  }
}

function responseValue({ status, responseHeaders }: RequestRecord, name: string): string | undefined {
  return name === ":status" ? String(status) : responseHeaders?.get(name);
}

const OPERATORS: Readonly<Record<LogOperator, Read>> = {
  START_TIME: startTime,
  PROTOCOL: () => PROTOCOL,
  RESPONSE_CODE: ({ status }) => status,
  RESPONSE_CODE_DETAILS: ({ detail }) => detail || ABSENT,
  RESPONSE_FLAGS: ({ flags }) => flags || ABSENT,
  CONNECTION_TERMINATION_DETAILS: () => ABSENT,
  BYTES_RECEIVED: ({ bytesReceived }) => bytesReceived,
  BYTES_SENT: ({ bytesSent }) => bytesSent,
  DURATION: ({ durationMs }) => Math.round(durationMs),
  ROUTE_NAME: ({ route }) => route || ABSENT,
  REQUESTED_SERVER_NAME: () => ABSENT,
  UPSTREAM_HOST: ({ upstreamAddress }) => upstreamAddress || ABSENT,
  UPSTREAM_CLUSTER: ({ upstreamCluster }) => upstreamCluster || ABSENT,
  UPSTREAM_LOCAL_ADDRESS: upstreamLocalAddress,
  UPSTREAM_PEER_URI_SAN: ({ side, destination }) => (side === "outbound" && destination.principal) || ABSENT,
  UPSTREAM_REQUEST_ATTEMPT_COUNT: ({ attempts }) => attempts,
  UPSTREAM_TRANSPORT_FAILURE_REASON: ({ transportFailure }) => transportFailure || ABSENT,
  DOWNSTREAM_LOCAL_ADDRESS: ({ downstream }) => downstream.local || ABSENT,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ({ downstream }) => withoutPort(downstream.local),
  DOWNSTREAM_PEER_URI_SAN: ({ side, source }) => (side === "inbound" && source.principal) || ABSENT,
  DOWNSTREAM_REMOTE_ADDRESS: ({ downstream }) => downstream.remote || ABSENT,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ({ downstream }) => withoutPort(downstream.remote),
};

function withoutPort(address: string): string {
  const colon = address.lastIndexOf(":");
  return colon < 0 ? ABSENT : address.slice(0, colon).replace(/^\[|\]$/g, "");
}
