import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProcessSpec } from "../../samples/bookinfo/demo/processes.ts";
import { pinned } from "../harness/measure.ts";
import { firstLine } from "../harness/results.ts";

/**
 * The proxies beside which the sidecar stands, each with one thread and with the same work: a request id, a decision
 * by the cookie, two header rules, a log line kept in memory.
 */
export interface Contender {
  readonly name: "haproxy" | "nginx";
  readonly version: string;
  readonly spec: ProcessSpec;
  readonly port: number;
}

export interface ContenderOptions {
  readonly workDir: string;
  readonly backendPort: number;
  readonly cpu: number;
  takePort(): number;
}

const JASON = "^(.*?;)?(user=jason)(;.*)?$";

export function haproxy(options: ContenderOptions): Contender | undefined {
  const version = firstLine("haproxy", ["-v"]);
  if (version === undefined) return undefined;
  const port = options.takePort();
  const file = join(options.workDir, "haproxy.cfg");
  const server = `server app 127.0.0.1:${options.backendPort}`;
  writeFileSync(
    file,
    `global
  nbthread 1
  log ring@requests format raw local0
ring requests
  format raw
  maxlen 1200
  size 1048576
defaults
  mode http
  log global
  option httplog
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  unique-id-format %[uuid()]
  unique-id-header x-request-id
  http-request set-header x-forwarded-proto http
  http-response set-header server haproxy
  acl jason req.hdr(cookie) -m reg ${JASON}
  use_backend jason if jason
  default_backend everyone
backend jason
  ${server}
backend everyone
  ${server}
`,
  );
  const [command, args] = pinned(options.cpu, "haproxy", ["-db", "-f", file]);
  return { name: "haproxy", version, port, spec: { name: "haproxy", kind: "server", command, args, env: {} } };
}

export function nginx(options: ContenderOptions): Contender | undefined {
  // It prints its version on standard error.
  const version = firstLine("sh", ["-c", "nginx -v 2>&1"]);
  if (version === undefined || !version.includes("nginx/")) return undefined;
  const port = options.takePort();
  const file = join(options.workDir, "nginx.conf");
  const path = (name: string) => join(options.workDir, `nginx-${name}`);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${path(name)};`)
    .join("\n");
  writeFileSync(
    file,
    `daemon off;
master_process off;
worker_processes 1;
pid ${path("pid")};
error_log ${path("error.log")} error;
events { worker_connections 1024; }
http {
${temporary}
  access_log ${path("access.log")} combined buffer=1m;
  keepalive_requests 100000000;
  upstream everyone { server 127.0.0.1:${options.backendPort}; keepalive 128; keepalive_requests 100000000; }
  upstream jason { server 127.0.0.1:${options.backendPort}; keepalive 128; keepalive_requests 100000000; }
  map $http_cookie $pool { default everyone; "~${JASON}" jason; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://$pool;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header x-request-id $request_id;
      proxy_set_header x-forwarded-proto http;
      add_header x-served-by nginx;
    }
  }
}
`,
  );
  const [command, args] = pinned(options.cpu, "nginx", ["-c", file, "-p", options.workDir]);
  return { name: "nginx", version, port, spec: { name: "nginx", kind: "server", command, args, env: {} } };
}
