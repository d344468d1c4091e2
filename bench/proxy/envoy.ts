import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstLine } from "../harness/results.ts";
import { PEER_NAME } from "./certificates.ts";
import type { Hop, Recipe } from "./foreign.ts";
import { COOKIE_PATTERN, routePrefix } from "./work.ts";

const TYPES = "type.googleapis.com/envoy";
const TIMEOUT = "60s";
/** Its own limit of 1024 is kept out of the way of 512 connections and what waits behind them. */
const MANY = 65_536;

/**
 * Envoy with one worker, from a static file (JSON is YAML to it). It makes request ids by itself; its access log is
 * written to nowhere, since it has no ring in memory. Routes by path are routes with
 * a prefix, which it tries in their order.
 * `program`: path of the binary.
 */
export function envoy(program: string): Recipe | undefined {
  const version = firstLine("sh", ["-c", '"$0" --version | grep version:', program]);
  if (version === undefined) return undefined;
  return {
    name: "envoy",
    version: version.replace(/^.*version:\s*/, ""),
    prepare(hop) {
      const file = join(hop.dir, "envoy.json");
      writeFileSync(file, JSON.stringify(configuration(hop), undefined, 2));
      const quiet = ["--log-level", "error", "--disable-hot-restart"];
      return [program, "--config-path", file, "--concurrency", "1", ...quiet];
    },
  };
}

function configuration(hop: Hop): object {
  return {
    static_resources: {
      listeners: [
        {
          name: "in",
          address: addressOf(hop.port),
          filter_chains: [
            {
              filters: [{ name: "http", typed_config: connectionManager(hop) }],
              ...(hop.place === "second" && { transport_socket: receivingTls(hop) }),
            },
          ],
        },
      ],
      clusters: ["jason", "everyone"].map((name) => cluster(name, hop)),
    },
  };
}

function connectionManager(hop: Hop): object {
  return {
    "@type": `${TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "in",
    codec_type: "HTTP1",
    generate_request_id: true,
    ...(hop.place === "second" && {
      forward_client_cert_details: "SANITIZE_SET",
      set_current_client_cert_details: { subject: true },
    }),
    access_log: [
      {
        name: "file",
        typed_config: { "@type": `${TYPES}.extensions.access_loggers.file.v3.FileAccessLog`, path: "/dev/null" },
      },
    ],
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${TYPES}.extensions.filters.http.router.v3.Router` },
      },
    ],
    route_config: { name: "routes", virtual_hosts: [{ name: "all", domains: ["*"], ...routing(hop) }] },
  };
}

function routing({ place, work }: Hop): object {
  const to = (match: object, name: string) => ({ match, route: { cluster: name, timeout: TIMEOUT } });
  const everything = to({ prefix: "/" }, "everyone");
  if (place === "second") return { routes: [everything] };
  const byCookie = { name: "cookie", string_match: { safe_regex: { regex: COOKIE_PATTERN } } };
  const byPath = Array.from({ length: work.routes }, (_, route) => to({ prefix: routePrefix(route) }, "everyone"));
  const headers = (on: "request" | "answer") =>
    work.headers
      .filter((rule) => rule.on === on)
      .map(({ name, value }) => ({ header: { key: name, value }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" }));
  return {
    request_headers_to_add: headers("request"),
    response_headers_to_add: headers("answer"),
    routes: [
      ...(work.decidesByCookie ? [to({ prefix: "/", headers: [byCookie] }, "jason")] : []),
      ...byPath,
      everything,
    ],
  };
}

function cluster(name: string, hop: Hop): object {
  const limits = { max_connections: MANY, max_pending_requests: MANY, max_requests: MANY };
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    circuit_breakers: { thresholds: [limits] },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(hop.upstreamPort) } }] }],
    },
    ...(hop.place === "first" && { transport_socket: sendingTls(hop) }),
  };
}

function sendingTls(hop: Hop): object {
  const type = `${TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext`;
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": type, sni: PEER_NAME, common_tls_context: tlsContext(hop) },
  };
}

function receivingTls(hop: Hop): object {
  const type = `${TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext`;
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": type, require_client_certificate: true, common_tls_context: tlsContext(hop) },
  };
}

function tlsContext({ certificates }: Hop): object {
  const names = [{ san_type: "DNS", matcher: { exact: PEER_NAME } }];
  return {
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificates: [
      { certificate_chain: { filename: certificates.certificate }, private_key: { filename: certificates.key } },
    ],
    validation_context: { trusted_ca: { filename: certificates.authority }, match_typed_subject_alt_names: names },
  };
}

function addressOf(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
