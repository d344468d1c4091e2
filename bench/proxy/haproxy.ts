import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstLine } from "../harness/results.ts";
import { PEER_NAME } from "./certificates.ts";
import type { Hop, Recipe } from "./foreign.ts";
import { COOKIE_PATTERN, routePrefix } from "./work.ts";

/**
 * HAProxy with one thread. Routes by path are a map with `map_beg`, its quickest way and what its users write for more
 * than a few; the log goes to a ring in memory.
 */
export function haproxy(): Recipe | undefined {
  const version = firstLine("haproxy", ["-v"]);
  if (version === undefined) return undefined;
  return {
    name: "haproxy",
    version,
    prepare(hop) {
      const file = join(hop.dir, "haproxy.cfg");
      writeFileSync(file, configuration(hop));
      return ["haproxy", "-db", "-f", file];
    },
  };
}

function configuration(hop: Hop): string {
  return `global
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
  bind ${bind(hop)}
  unique-id-format %[uuid()]
${lines(hop.place === "second" ? receivingRules() : sendingRules(hop))}
  default_backend everyone
backend jason
  ${server(hop)}
backend everyone
  ${server(hop)}
`;
}

function bind({ place, port, certificates }: Hop): string {
  const address = `127.0.0.1:${port}`;
  if (place !== "second") return address;
  return `${address} ssl crt ${certificates.both} ca-file ${certificates.authority} verify required ssl-min-ver TLSv1.3`;
}

function server({ place, upstreamPort, certificates }: Hop): string {
  const address = `server app 127.0.0.1:${upstreamPort}`;
  if (place !== "first") return address;
  const trust = `ca-file ${certificates.authority} verify required verifyhost ${PEER_NAME} sni str(${PEER_NAME})`;
  return `${address} ssl crt ${certificates.both} ${trust} ssl-min-ver TLSv1.3`;
}

function sendingRules({ work, dir }: Hop): string[] {
  const rules = ["unique-id-header x-request-id"];
  for (const { on, name, value } of work.headers)
    rules.push(`http-${on === "request" ? "request" : "response"} set-header ${name} "${value}"`);
  if (work.decidesByCookie)
    rules.push(`acl jason req.hdr(cookie) -m reg ${COOKIE_PATTERN}`, "use_backend jason if jason");
  if (work.routes > 0) {
    const map = join(dir, "routes.map");
    const routes = Array.from({ length: work.routes }, (_, route) => `${routePrefix(route)} everyone\n`);
    writeFileSync(map, routes.join(""));
    rules.push(`use_backend %[path,map_beg(${map})]`);
  }
  return rules;
}

/** What a receiving sidecar does: keeps the request id that there is, and says whose certificate it was. */
function receivingRules(): string[] {
  return [
    "http-request set-header x-request-id %[unique-id] unless { req.hdr(x-request-id) -m found }",
    'http-request set-header x-forwarded-client-cert "Subject=%[ssl_c_s_dn]"',
  ];
}

function lines(rules: readonly string[]): string {
  return rules.map((rule) => `  ${rule}`).join("\n");
}
