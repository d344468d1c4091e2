import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import {
  compileGatewayRoutes,
  GATEWAY_PORT,
  type GatewayRoute,
  type RoutedService,
  routesOfPort,
} from "../../services/proxy/gateway/gateway-routes.ts";
import { gatewayNames } from "../../services/proxy/gateway/gateway-table.ts";
import { HostTable } from "../../services/proxy/route/host-table.ts";
import { httpsLocation } from "../../services/proxy/route/local-answer.ts";
import { explainMatchables } from "../../services/proxy/route/matching.ts";
import type { RequestHead } from "../../services/proxy/stream/stream.ts";
import { systemClock } from "../../shared/base/index.ts";
import type { GatewayConfig, ServiceConfig } from "../../shared/wire/index.ts";
import { consideredHosts, consideredRules, type ToldRule } from "./considered.ts";
import type { ConsideredExplained, LocalAnswerExplained } from "./explanation.ts";
import type { MeshSource } from "./mesh-source.ts";
import type { ExplainedRequest } from "./request.ts";

/** A service that a gateway's routes name, as far as an explanation needs it. */
interface ToldService extends RoutedService {
  readonly config: ServiceConfig | undefined;
}

/** What a gateway decides about a request before a service's routes do. */
export interface GatewayDecision {
  readonly considered: readonly ConsideredExplained[];
  /** The gateway's port that it came in by, as rules know it. */
  readonly port: number;
  /** Undefined: `answer` is. */
  readonly route: GatewayRoute<ToldService> | undefined;
  readonly answer?: LocalAnswerExplained;
}

/** The way through a gateway: its servers, the most specific host, the first route of that host whose conditions hold. */
export async function explainGateway(
  { head, caller, gateway, port: reached }: ExplainedRequest & { gateway: NonNullable<ExplainedRequest["gateway"]> },
  source: MeshSource,
): Promise<GatewayDecision> {
  const config = await source.gateway(gateway.namespace, gateway.name);
  const known = new Set([GATEWAY_PORT, ...(config?.servers ?? []).map(({ port }) => port)]);
  const port = known.has(reached) ? reached : GATEWAY_PORT;
  if (config === undefined) {
    const reason = `no gateway ${gateway.namespace}/${gateway.name} is known`;
    return { considered: [], port, route: undefined, answer: notFound(reason) };
  }
  const services = await servicesOf(config, source);
  const serviceOf = (namespace: string, service: string): ToldService =>
    services.get(`${namespace}/${service}`) ?? told(namespace, service, undefined);
  const routes = compileGatewayRoutes(config, {
    self: caller,
    names: gatewayNames(gateway.namespace, gateway.name),
    ports: [...known],
    entry: serviceOf,
  });
  const { hosts, redirects } = routesOfPort(routes, config.servers, port);
  if (redirects?.find(head.authority) === true && head.headers.get("x-forwarded-proto") !== "https") {
    const answer = {
      status: 301,
      detail: "direct_response",
      flag: "",
      reason: "the server redirects to https",
      location: httpsLocation(head),
    };
    return { considered: consideredHosts(redirects.explain(head.authority)), port, route: undefined, answer };
  }
  const byHost = consideredHosts(hosts.explain(head.authority));
  const table = hosts.find(head.authority);
  if (table === undefined) {
    return { considered: byHost, port, route: undefined, answer: notFound(whyNoHost(config, port, head)) };
  }
  const verdicts = explainMatchables(table.routes, { head, port });
  const considered = [...byHost, ...consideredRules("gateway", verdicts, table.routes.map(ruleOf))];
  const route = table.routes[verdicts.findIndex(({ outcome }) => outcome === "chosen")];
  return route === undefined
    ? { considered, port, route, answer: notFound("no route of this host fits the request") }
    : { considered, port, route };
}

function ruleOf({ config }: GatewayRoute<ToldService>): ToldRule {
  return { name: config.route?.name, match: config.route?.match ?? config.match };
}

/** A server's host alone leads nowhere: some VirtualService has to name the gateway and the host. */
function whyNoHost({ servers }: GatewayConfig, port: number, { authority }: RequestHead): string {
  const here = servers.filter((server) => server.port === port);
  if (here.length === 0) return `the gateway has no server at port ${port}`;
  const patterns = here.flatMap(({ hosts, rule }) => hosts.map((host) => [host, { host, rule }] as const));
  const server = new HostTable(patterns).find(authority);
  return server === undefined
    ? `no server of port ${port} has the host ${authority}`
    : `${server.rule} has the host ${server.host}, but no VirtualService of it names that gateway`;
}

function notFound(reason: string): LocalAnswerExplained {
  return { status: 404, detail: "route_not_found", flag: "NR", reason };
}

async function servicesOf(config: GatewayConfig, source: MeshSource): Promise<Map<string, ToldService>> {
  const named = config.routes.flatMap(({ destination, route }) => [
    ...(destination ? [destination] : []),
    ...[...(route?.destinations ?? []), ...(route?.mirrors ?? [])].flatMap((each) => each.destination ?? []),
  ]);
  const names = new Map(named.map(({ namespace, service }) => [`${namespace}/${service}`, { namespace, service }]));
  const found = await Promise.all(
    [...names].map(async ([key, { namespace, service }]): Promise<[string, ToldService]> => {
      return [key, told(namespace, service, await source.service(namespace, service))];
    }),
  );
  return new Map(found);
}

function told(namespace: string, name: string, config: ServiceConfig | undefined): ToldService {
  const ports = config?.ports.map(({ number }) => number) ?? [];
  return { namespace, name, ports, config, cluster: () => new Cluster("", { clock: systemClock }) };
}
