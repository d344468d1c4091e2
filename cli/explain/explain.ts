import { gatewayNames } from "../../services/proxy/gateway/gateway-table.ts";
import { EgressScope } from "../../services/proxy/mesh/egress-scope.ts";
import { createSnapshot, portOf } from "../../services/proxy/mesh/service-snapshot.ts";
import { scopeFor } from "../../services/proxy/mesh/workload-book.ts";
import { splitAuthority } from "../../services/proxy/route/authority.ts";
import type { Caller } from "../../services/proxy/route/caller.ts";
import { explainRoutes } from "../../services/proxy/route/matching.ts";
import { RouteTable } from "../../services/proxy/route/route-table.ts";
import { routesFor } from "../../services/proxy/route/service-route.ts";
import type { RequestHead } from "../../services/proxy/stream/stream.ts";
import { ROOT_NAMESPACE } from "../../shared/model/index.ts";
import type { Route, ServiceConfig, WorkloadConfig } from "../../shared/wire/index.ts";
import { type AskMixer, explainChecks } from "./checks.ts";
import { ChosenRoute, type ChosenTarget } from "./chosen-route.ts";
import { consideredRules } from "./considered.ts";
import { type Called, explainDestination } from "./destinations.ts";
import type { ChecksExplained, Explanation, LocalAnswerExplained, ServiceExplained } from "./explanation.ts";
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
  const hosts = [
    splitAuthority(request.head.authority).host,
    ...(explanation.service ? [explanation.service.host] : []),
  ];
  const pending = await context.source.pending(hosts);
  const checks = await checksOf(request, explanation, context);
  const { answer, service, route, destinations, mirrors, considered, notes } = explanation;
  return {
    request: explanation.request,
    matched: explanation.matched,
    rule: explanation.rule,
    ...(answer && { answer }),
    ...(service && { service }),
    ...(route && { route }),
    destinations,
    mirrors,
    ...(checks && { checks }),
    considered,
    pending,
    notes: [...notes, ...notesOn(explanation, checks)],
  };
}

/** What a person may not expect of what was told. */
function notesOn({ request, destinations, considered }: Told, checks: ChecksExplained | undefined): string[] {
  const services = new Set(destinations.map(({ host }) => host));
  const dependsOnCaller = considered.some((each) => "reason" in each && each.reason.startsWith("source "));
  const isAnonymous =
    !request.from.includes(".") && !request.from.includes("/") && Object.keys(request.labels).length === 0;
  return [
    ...(checks !== undefined && services.size > 1
      ? [`checks are those of ${[...services][0]}; the others have their own`]
      : []),
    ...(dependsOnCaller && isAnonymous ? ["some of the rules are for certain callers: say who calls with --from"] : []),
  ];
}

/** The destination's proxy asks before it lets the request in. */
async function checksOf(
  request: ExplainedRequest,
  { destinations, sent }: Told,
  { source, ask }: ExplainContext,
): Promise<ChecksExplained | undefined> {
  const [destination] = destinations;
  if (destination === undefined) return undefined;
  const plan = await source.plan(destination.namespace, destination.service);
  return explainChecks(plan, { ...request, head: sent ?? request.head }, destination, ask);
}

/** What is told before anybody has been asked about checks and waiting rules. */
type Told = Omit<Explanation, "pending" | "checks"> & {
  /** The request as the first destination gets it. */
  readonly sent?: RequestHead;
};

async function explainOutbound(request: ExplainedRequest, source: MeshSource): Promise<Told> {
  const { head, caller } = request;
  const [own, root] = await Promise.all([source.workload(caller.namespace), source.workload(ROOT_NAMESPACE)]);
  const sidecar = scopeFor(caller.labels, own, root);
  const scope = sidecar === undefined || sidecar.egressHosts.length === 0 ? undefined : new EgressScope(sidecar);
  const resolved = await resolveAuthority(head.authority, caller.namespace, source, scope);
  const { considered } = resolved;
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
function explainOutside(request: ExplainedRequest, considered: Considered, policy: string | undefined): Told {
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
): Promise<Told> {
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
): Promise<Told> {
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
  const considered = [...before, ...consideredRules("route", verdicts, routes)];
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
): Promise<Told> {
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
    sent: route.sent,
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

function blank({ head, caller, identity, gateway }: ExplainedRequest, considered: Considered): Told {
  return {
    request: {
      method: head.method,
      url: `${head.scheme}://${head.authority}${head.path}`,
      headers: head.headers.toMap(),
      from: gateway === undefined ? nameOf(caller) : `${gateway.namespace}/${gateway.name}`,
      labels: caller.labels,
      identity,
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
