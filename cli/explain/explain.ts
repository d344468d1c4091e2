import { gatewayNames } from "../../services/proxy/gateway/gateway-table.ts";
import { EgressScope } from "../../services/proxy/mesh/egress-scope.ts";
import { createSnapshot, portOf } from "../../services/proxy/mesh/service-snapshot.ts";
import { scopeFor } from "../../services/proxy/mesh/workload-book.ts";
import type { Caller } from "../../services/proxy/route/caller.ts";
import { explainRoutes } from "../../services/proxy/route/matching.ts";
import { RouteTable } from "../../services/proxy/route/route-table.ts";
import { routesFor } from "../../services/proxy/route/service-route.ts";
import { ROOT_NAMESPACE } from "../../shared/model/index.ts";
import type { Route, ServiceConfig, WorkloadConfig } from "../../shared/wire/index.ts";
import { type AskMixer, explainChecks } from "./checks.ts";
import { ChosenRoute, type ChosenTarget } from "./chosen-route.ts";
import { type Called, explainDestination } from "./destinations.ts";
import type { Explanation, LocalAnswerExplained, ServiceExplained } from "./explanation.ts";
import { explainGateway } from "./gateway.ts";
import type { MeshSource } from "./mesh-source.ts";
import { resolveAuthority } from "./outbound.ts";
import type { ExplainedRequest } from "./request.ts";

/** Where an explanation takes its facts from. */
export interface ExplainContext {
  readonly source: MeshSource;
  readonly ask?: AskMixer;
}

type Considered = Explanation["considered"];

/**
 * What becomes of a request, told by going the proxy's own way: the host's meaning, the caller's view of the service,
 * the first route whose conditions hold, and what that route does. Nothing is decided here; each step asks the function
 * that the data path asks.
 */
export async function explainRequest(request: ExplainedRequest, context: ExplainContext): Promise<Explanation> {
  const { gateway } = request;
  const explanation =
    gateway === undefined
      ? await explainOutbound(request, context.source)
      : await explainEdge({ ...request, gateway }, context.source);
  const [destination] = explanation.destinations;
  if (destination === undefined) return explanation;
  // The destination's proxy asks before it lets the request in.
  const plan = await context.source.plan(destination.namespace, destination.service);
  const checks = await explainChecks(plan, request, destination, context.ask);
  return checks === undefined ? explanation : { ...explanation, checks };
}

async function explainOutbound(request: ExplainedRequest, source: MeshSource): Promise<Explanation> {
  const { head, caller } = request;
  const [own, root] = await Promise.all([source.workload(caller.namespace), source.workload(ROOT_NAMESPACE)]);
  const sidecar = scopeFor(caller.labels, own, root);
  const scope = sidecar === undefined || sidecar.egressHosts.length === 0 ? undefined : new EgressScope(sidecar);
  const resolved = await resolveAuthority(head.authority, caller.namespace, source, scope);
  const considered = resolved.considered.map((verdict) => ({ ...verdict, step: "host" as const }));
  if (resolved.config !== undefined) return explainService(request, resolved.config, resolved.port, considered, source);
  if (resolved.named) {
    const answer = refusal(503, "cluster_not_found", "NC", "the service that the host names is not known");
    return { ...blank(request, considered), answer };
  }
  return explainOutside(request, considered, sidecar?.outboundTrafficPolicy || policyOf(root));
}

function policyOf(root: WorkloadConfig | undefined): string | undefined {
  return root?.mesh?.outboundTrafficPolicy ?? undefined;
}

/** A host that means nothing to the mesh. */
function explainOutside(request: ExplainedRequest, considered: Considered, policy: string | undefined): Explanation {
  if (policy === "REGISTRY_ONLY") {
    const answer = refusal(
      502,
      "host_not_registered",
      "NR",
      "the host is outside of the mesh, and REGISTRY_ONLY lets nothing out",
    );
    return { ...blank(request, considered), answer };
  }
  const notes =
    policy === undefined
      ? ["a proxy that was started with OUTBOUND_TRAFFIC_POLICY=REGISTRY_ONLY answers 502 instead"]
      : [];
  return { ...blank(request, considered), matched: true, rule: "passthrough", notes };
}

async function explainEdge(
  request: ExplainedRequest & { gateway: NonNullable<ExplainedRequest["gateway"]> },
  source: MeshSource,
): Promise<Explanation> {
  const { gateway } = request;
  const { considered, port, route, answer } = await explainGateway(request, source);
  if (answer !== undefined) return { ...blank(request, considered), matched: answer.status < 400, answer };
  const config = route?.entry?.config;
  if (route?.whole !== undefined) {
    const told = await explainRoute(request, route.whole.config, { port, isEdge: true }, considered, source);
    return config === undefined ? told : { ...told, service: explainPort(config, route.port || port) };
  }
  if (config === undefined) {
    const reason = "the service that the route names is not known";
    return { ...blank(request, considered), answer: refusal(503, "cluster_not_found", "NC", reason) };
  }
  return explainService(
    request,
    config,
    route?.port,
    considered,
    source,
    gatewayNames(gateway.namespace, gateway.name),
  );
}

async function explainService(
  request: ExplainedRequest,
  config: ServiceConfig,
  named: number | undefined,
  before: Considered,
  source: MeshSource,
  gateways?: readonly string[],
): Promise<Explanation> {
  const { head, caller } = request;
  const port = portOf(createSnapshot(config, new RouteTable([])), named);
  const service = explainPort(config, port);
  if (port === undefined) {
    const ports = config.ports.map(({ number }) => number).join(", ") || "none";
    const why = named === undefined ? `none of its ports (${ports}) is 80 or its only one` : `its ports are ${ports}`;
    const answer = refusal(404, "route_not_found", "NR", `${config.host} has no port ${named ?? 80}: ${why}`);
    return { ...blank(request, before), service, answer };
  }
  const routes = routesFor(config, caller.namespace);
  const verdicts = explainRoutes(routes, { head, port }, caller, gateways);
  const considered = [...before, ...verdicts.map((verdict) => ({ ...verdict, step: "route" as const }))];
  const chosen = routes[verdicts.findIndex(({ outcome }) => outcome === "chosen")];
  if (chosen === undefined) {
    const answer = refusal(404, "route_not_found", "NR", `no route of ${config.host} fits the request`);
    return { ...blank(request, considered), service, answer };
  }
  return { ...(await explainRoute(request, chosen, { port, isEdge: false }, considered, source)), service };
}

async function explainRoute(
  request: ExplainedRequest,
  config: Route,
  called: Called,
  considered: Considered,
  source: MeshSource,
): Promise<Explanation> {
  const route = new ChosenRoute(config, request.head);
  const answer = route.answerAt(called.port);
  const tell = (target: ChosenTarget) => explainDestination(target, called, request.caller, source);
  const targets = answer === undefined ? route.targets : [];
  const mirrors = answer === undefined ? route.mirrors : [];
  const noTarget = answer === undefined && targets.length === 0;
  return {
    ...blank(request, considered),
    matched: true,
    rule: config.rule,
    route: route.explained,
    ...(answer && { answer }),
    ...(noTarget && { answer: refusal(503, "cluster_not_found", "NC", "the route has no destination") }),
    destinations: await Promise.all(targets.map(tell)),
    mirrors: await Promise.all(mirrors.map(tell)),
  };
}

function explainPort(config: ServiceConfig, port: number | undefined): ServiceExplained {
  const ports = config.ports.map(({ number, protocol }) => ({ number, protocol }));
  return {
    namespace: config.namespace,
    name: config.name,
    host: config.host,
    port: port ?? null,
    protocol: ports.find(({ number }) => number === port)?.protocol ?? "",
    ports,
    revision: config.revision,
  };
}

function refusal(status: number, detail: string, flag: string, reason: string): LocalAnswerExplained {
  return { status, detail, flag, reason };
}

function blank({ head, caller, gateway }: ExplainedRequest, considered: Considered): Explanation {
  return {
    request: {
      method: head.method,
      url: `${head.scheme}://${head.authority}${head.path}`,
      headers: head.headers.toMap(),
      from: gateway === undefined ? nameOf(caller) : `${gateway.namespace}/${gateway.name}`,
      labels: caller.labels,
    },
    matched: false,
    rule: "",
    destinations: [],
    mirrors: [],
    considered,
    notes: [],
  };
}

function nameOf({ service, namespace }: Caller): string {
  return service === "" ? namespace : `${service}.${namespace}`;
}
