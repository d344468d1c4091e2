import { customLine } from "./access-log-custom.ts";
import { askedPath, PROTOCOL, startTime, upstreamLocalAddress } from "./access-log-facts.ts";
import type { RequestRecord } from "./stream/record.ts";

export type AccessLogFormat = "json" | "text";

/** Writes one request as a line. */
export type FormatLine = (record: RequestRecord) => string;

/** Istio's two default forms; what a request does not have is `-`. */
const DEFAULTS: Readonly<Record<AccessLogFormat, FormatLine>> = { json: jsonLine, text: textLine };

/** `format`: Envoy's operators, in an object for `json`; "": the default of that encoding. Throws on what it cannot read. */
export function formatLine(encoding: AccessLogFormat, format = ""): FormatLine {
  return format === "" ? DEFAULTS[encoding] : customLine(encoding, format);
}

/** The fields of Istio's JSON form, and then what a mesh wants besides: which side this is, and who was at the other. */
function jsonLine(record: RequestRecord): string {
  const { head, side } = record;
  const { headers } = head;
  const line = {
    start_time: startTime(record),
    route_name: record.route || "-",
    method: head.method,
    path: askedPath(record),
    protocol: PROTOCOL,
    response_code: record.status,
    response_flags: record.flags || "-",
    response_code_details: record.detail || "-",
    connection_termination_details: "-",
    bytes_received: record.bytesReceived,
    bytes_sent: record.bytesSent,
    duration: Math.round(record.durationMs),
    upstream_service_time: serviceTime(record),
    x_forwarded_for: headers.get("x-forwarded-for") ?? "-",
    user_agent: headers.get("user-agent") ?? "-",
    request_id: record.requestId || "-",
    authority: head.authority || "-",
    upstream_host: record.upstreamAddress || "-",
    upstream_cluster: record.upstreamCluster || "-",
    upstream_transport_failure_reason: record.transportFailure || "-",
    upstream_local_address: upstreamLocalAddress(record),
    downstream_local_address: record.downstream.local || "-",
    downstream_remote_address: record.downstream.remote || "-",
    requested_server_name: "-",
    direction: side,
    downstream_peer_uri_san: (side === "inbound" && record.source.principal) || "-",
    upstream_peer_uri_san: (side === "outbound" && record.destination.principal) || "-",
    attempts: record.attempts,
  };
  return `${JSON.stringify(line)}\n`;
}

/** Istio's text form. A quote in what a client says is escaped, so that it ends no field. */
function textLine(record: RequestRecord): string {
  const { head } = record;
  const { headers } = head;
  const request = quoted(`${head.method} ${askedPath(record)} ${PROTOCOL}`);
  const answer = [record.status, record.flags || "-", record.detail || "-", "-", quoted(record.transportFailure)];
  const amounts = [record.bytesReceived, record.bytesSent, Math.round(record.durationMs), serviceTime(record)];
  const caller = [
    quoted(headers.get("x-forwarded-for")),
    quoted(headers.get("user-agent")),
    quoted(record.requestId),
    quoted(head.authority),
  ];
  const way = [
    quoted(record.upstreamAddress),
    record.upstreamCluster || "-",
    upstreamLocalAddress(record),
    record.downstream.local || "-",
    record.downstream.remote || "-",
    "-",
    record.route || "-",
  ];
  return `[${startTime(record)}] ${[request, ...answer, ...amounts, ...caller, ...way].join(" ")}\n`;
}

function serviceTime(record: RequestRecord): string {
  return record.responseHeaders?.get("x-envoy-upstream-service-time") ?? "-";
}

function quoted(text: string | undefined): string {
  if (text === undefined || text === "") return '"-"';
  return `"${/["\\\n]/.test(text) ? text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n") : text}"`;
}
