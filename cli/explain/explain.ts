import { createSnapshot, portOf } from "../../services/proxy/mesh/service-snapshot.ts";
import type { Caller } from "../../services/proxy/route/caller.ts";
import { explainRoutes, type Verdict } from "../../services/proxy/route/matching.ts";
import { RouteTable } from "../../services/proxy/route/route-table.ts";
import { routesFor } from "../../services/proxy/route/service-route.ts";
import type { Route, ServiceConfig } from "../../shared/wire/index.ts";
import { type AskMixer, explainChecks } from "./checks.ts";
import { ChosenRoute, type ChosenTarget } from "./chosen-route.ts";
import { explainDestination } from "./destinations.ts";
import type { Explanation, LocalAnswerExplained, ServiceExplained } from "./explanation.ts";
import type { MeshSource } from "./mesh-source.ts";
import { resolveAuthority } from "./outbound.ts";
import type { ExplainedRequest } from "./request.ts";

/**
 * What becomes of a request, told by going the proxy's own way: the host's meaning, the caller's view of the service,
 * the first route whose conditions hold, and what that route does. Nothing is decided here; each step asks the function that
 * the data path asks.
 */
export async function explainRequest(request: ExplainedRequest, context: ExplainContext): Promise<Explanation> {
  const { head, caller } = request;
  const { source } = context;
  const { config, port: named, considered } = await resolveAuthority(head.authority, caller.namespace, source);
  const hosts = considered.map((verdict) => ({ ...verdict, step: "host" as const }));
  if (config === undefined) return outside(request, hosts);
  return withChecks(await explainService(request, config, named, hosts, source), request, context);
}

/** Where an explanation takes its facts from. */
export interface ExplainContext {
  readonly source: MeshSource;
  readonly ask?: AskMixer;
}

/** The first destination's: its proxy asks before it lets the request in. */
async function withChecks(
  explanation: Explanation,
  request: ExplainedRequest,
  { source, ask }: ExplainContext,
): Promise<Explanation> {
  const [destination] = explanation.destinations;
  if (destination === undefined) return explanation;
  const plan = await source.plan(destination.namespace, destination.service);
  const checks = await explainChecks(plan, request, destination, ask);
  return checks === undefined ? explanation : { ...explanation, checks };
}

type Considered = Explanation["considered"];

async function explainService(
  request: ExplainedRequest,
  config: ServiceConfig,
  named: number | undefined,
  before: Considered,
  source: MeshSource,
): Promise<Explanation> {
  const { head, caller } = request;
  const port = portOf(createSnapshot(config, new RouteTable([])), named);
  const service = explainPort(config, port);
  if (port === undefined) {
    const ports = config.ports.map(({ number }) => number).join(", ") || "none";
    const why =
      named === undefined ? `it has several ports and none is 80: name one of ${ports}` : `its ports are ${ports}`;
    const answer = refusal(404, "route_not_found", "NR", `${config.host} has no port ${named ?? "80"}: ${why}`);
    return { ...blank(request, before), service, answer };
  }
  const routes = routesFor(config, caller.namespace);
  const verdicts = explainRoutes(routes, { head, port }, caller);
  const considered = [...before, ...verdicts.map((verdict) => ({ ...verdict, step: "route" as const }))];
  const chosen = chosenOf(routes, verdicts);
  if (chosen === undefined) {
    const answer = refusal(404, "route_not_found", "NR", `no route of ${config.host} fits the request`);
    return { ...blank(request, considered), service, answer };
  }
  return { ...(await explainRoute(request, chosen, port, considered, source)), service };
}

async function explainRoute(
  request: ExplainedRequest,
  config: Route,
  port: number,
  considered: Considered,
  source: MeshSource,
): Promise<Explanation> {
  const route = new ChosenRoute(config, request.head);
  const answer = route.answerAt(port);
  const targets = answer === undefined ? route.targets : [];
  const noTarget = answer === undefined && targets.length === 0;
  const told = (target: ChosenTarget) => explainDestination(target, port, request.caller, source);
  const destinations = await Promise.all(targets.map(told));
  const mirrors = await Promise.all(
    (answer === undefined ? route.mirrors : []).map(async (target) => ({
      ...(await told(target)),
      percent: target.percent,
    })),
  );
  return {
    ...blank(request, considered),
    matched: true,
    rule: config.rule,
    route: route.explained,
    ...(answer && { answer }),
    ...(noTarget && { answer: refusal(503, "cluster_not_found", "NC", "the route has no destination") }),
    destinations,
    mirrors,
  };
}

function chosenOf(routes: readonly Route[], verdicts: readonly Verdict[]): Route | undefined {
  return routes[verdicts.findIndex(({ outcome }) => outcome === "chosen")];
}

function outside(request: ExplainedRequest, considered: Considered): Explanation {
  return { ...blank(request, considered), matched: true, rule: "passthrough" };
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
