import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstLine } from "../harness/results.ts";
import { PEER_NAME } from "./certificates.ts";
import type { Hop, Recipe } from "./foreign.ts";
import { COOKIE_PATTERN, routePrefix } from "./work.ts";

const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
/** Two for each of 512 clients, and some. */
const CONNECTIONS = 4096;
const KEPT = "keepalive 1024; keepalive_requests 100000000;";

/** nginx with one process. Routes by path are a `location` each; the log is buffered. */
export function nginx(): Recipe | undefined {
  // It prints its version on standard error.
  const version = firstLine("sh", ["-c", "nginx -v 2>&1"]);
  if (version === undefined || !version.includes("nginx/")) return undefined;
  return {
    name: "nginx",
    version,
    prepare(hop) {
      const file = join(hop.dir, "nginx.conf");
      writeFileSync(file, configuration(hop));
      return ["nginx", "-c", file, "-p", hop.dir];
    },
  };
}

function configuration(hop: Hop): string {
  const { dir, upstreamPort, work } = hop;
  const path = (name: string) => join(dir, name);
  const pool = work.decidesByCookie && hop.place !== "second" ? "$pool" : "everyone";
  const target = `${hop.place === "first" ? "https" : "http"}://${pool}`;
  const routes = hop.place === "second" ? 0 : work.routes;
  const prefixes = ["/", ...Array.from({ length: routes }, (_, route) => routePrefix(route))];
  return `daemon off;
master_process off;
worker_processes 1;
pid ${path("pid")};
error_log ${path("error.log")} error;
events { worker_connections ${CONNECTIONS}; }
http {
${TEMPORARY.map((name) => `  ${name}_temp_path ${path(name)};`).join("\n")}
  access_log ${path("access.log")} combined buffer=1m;
  keepalive_requests 100000000;
  client_max_body_size 0;
  upstream everyone { server 127.0.0.1:${upstreamPort}; ${KEPT} }
  upstream jason { server 127.0.0.1:${upstreamPort}; ${KEPT} }
  map $http_cookie $pool { default everyone; "~${COOKIE_PATTERN}" jason; }
  server {
    listen 127.0.0.1:${hop.port}${hop.place === "second" ? " ssl" : ""} backlog=4096;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
${(hop.place === "second" ? receivingRules(hop) : sendingRules(hop)).map((rule) => `    ${rule};`).join("\n")}
${prefixes.map((prefix) => `    location ${prefix} { proxy_pass ${target}; }`).join("\n")}
  }
}
`;
}

function sendingRules({ place, work, certificates }: Hop): string[] {
  const rules = ["proxy_set_header x-request-id $request_id"];
  for (const { on, name, value } of work.headers)
    rules.push(`${on === "request" ? "proxy_set_header" : "add_header"} ${name} "${value}"`);
  if (place === "first") {
    rules.push(
      `proxy_ssl_certificate ${certificates.certificate}`,
      `proxy_ssl_certificate_key ${certificates.key}`,
      `proxy_ssl_trusted_certificate ${certificates.authority}`,
      "proxy_ssl_verify on",
      `proxy_ssl_name ${PEER_NAME}`,
      "proxy_ssl_server_name on",
      "proxy_ssl_protocols TLSv1.3",
    );
  }
  return rules;
}

function receivingRules({ certificates }: Hop): string[] {
  return [
    `ssl_certificate ${certificates.certificate}`,
    `ssl_certificate_key ${certificates.key}`,
    `ssl_client_certificate ${certificates.authority}`,
    "ssl_verify_client on",
    "ssl_protocols TLSv1.3",
    'proxy_set_header x-forwarded-client-cert "Subject=$ssl_client_s_dn"',
  ];
}
