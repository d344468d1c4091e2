import type { Palette } from "../render.ts";
import type { DestinationExplained, Explanation, HeaderEditsExplained, RouteExplained } from "./explanation.ts";

type Considered = Explanation["considered"][number];

const MAX_ENDPOINTS = 10;
/** Rules that were passed over or not reached: more are counted. */
const MAX_CONSIDERED = 50;

/** An explanation for people: what happens first, then why. */
export function renderExplanation(explanation: Explanation, colours: Palette): string {
  const { request, service, route, answer, rule, destinations, mirrors, checks, considered, notes } = explanation;
  const lines = [`${request.method} ${request.url}, from ${request.from}${labelsOf(request.labels)}`, ""];
  if (answer !== undefined) {
    const flag = answer.flag === "" ? "" : ` (${answer.flag} ${answer.detail})`;
    const to = answer.location === undefined ? "" : `, location ${answer.location}`;
    const status = answer.status >= 400 ? colours.bad(String(answer.status)) : colours.good(String(answer.status));
    lines.push(`The proxy answers ${status} itself${flag}: ${answer.reason}${to}`);
  } else if (service === undefined) {
    lines.push(`${colours.good("Passed through")}: the host is outside of the mesh`);
  } else {
    const abort = route?.fault?.abort;
    const always = abort !== undefined && abort.percent >= 100;
    const forwarded = always ? colours.bad("Aborted, not forwarded") : colours.good("Forwarded");
    lines.push(`${forwarded} to ${service.host} port ${service.port} by ${ruleName(rule)}`);
  }
  if (route !== undefined) lines.push(...routeLines(route, rule));
  for (const destination of destinations) lines.push(...destinationLines(destination, colours));
  for (const mirror of mirrors) {
    lines.push(`  copy of ${percent(mirror.weight)} to ${mirror.host}${labelsOf(mirror.labels)} port ${mirror.port}`);
  }
  if (checks !== undefined) lines.push(...checkLines(checks, colours));
  lines.push("", "Considered, in this order:");
  let place = 0;
  for (const [index, { step, rule: name, outcome, ...rest }] of considered.slice(0, MAX_CONSIDERED).entries()) {
    const mark = outcome === "chosen" ? colours.good("chosen     ") : colours.dim(outcome.padEnd(11));
    const isAgain = (other: Considered | undefined) => other?.rule === name && other.step === step;
    place = isAgain(considered[index - 1]) ? place + 1 : 1;
    // A rule's routes have no names but those that somebody gave them.
    const which = place > 1 || isAgain(considered[index + 1]) ? `${name}, its ${place}.` : name;
    const reason = "reason" in rest ? `: ${rest.reason}` : "";
    lines.push(`  ${mark} ${step === "host" ? which : `${step} ${which}`}${reason}`);
  }
  if (considered.length > MAX_CONSIDERED) lines.push(`  and ${considered.length - MAX_CONSIDERED} more`);
  if (notes.length > 0) lines.push("", ...notes.map((note) => `Note: ${note}`));
  return lines.join("\n");
}

function routeLines(
  { name, timeoutMs, retries, fault, rewrite, rateLimit, ...route }: RouteExplained,
  rule: string,
): string[] {
  const lines: string[] = [];
  const tell = (what: string, text: string) => lines.push(`  ${what.padEnd(10)} ${text}`);
  if (name !== "") tell("route", `${name} of ${rule}`);
  tell("timeout", timeoutMs === 0 ? "none" : seconds(timeoutMs));
  if (retries !== undefined) {
    const each = retries.perTryTimeoutMs === 0 ? "" : `, each at most ${seconds(retries.perTryTimeoutMs)}`;
    tell("retries", `${retries.attempts} on ${retries.retryOn.join(", ")}${each}`);
  }
  if (fault?.delay !== undefined)
    tell(
      "fault",
      `${percent(fault.delay.percent)} delayed by ${seconds(fault.delay.ms)}${fault.delay.kind === "fixed" ? "" : " on average"}`,
    );
  if (fault?.abort !== undefined) {
    const { httpStatus, grpcStatus } = fault.abort;
    tell(
      "fault",
      `${percent(fault.abort.percent)} aborted with ${grpcStatus > 0 ? `gRPC status ${grpcStatus}` : httpStatus}`,
    );
  }
  if (rewrite !== undefined) tell("rewrite", `${rewrite.authority}${rewrite.path}`);
  if (route.requestHeaders !== undefined) tell("headers", `of the request: ${editsText(route.requestHeaders)}`);
  if (route.responseHeaders !== undefined) tell("headers", `of the response: ${editsText(route.responseHeaders)}`);
  if (route.cors !== undefined) tell("cors", `origins ${route.cors.allowOrigins.join(", ") || "none"}`);
  if (rateLimit !== undefined)
    tell(
      "limit",
      `${rateLimit.tokensPerFill} requests in ${seconds(rateLimit.fillIntervalMs)}, ${rateLimit.maxTokens} at once`,
    );
  return lines;
}

function destinationLines(destination: DestinationExplained, colours: Palette): string[] {
  const { host, labels, port, weight, policy, transport, identities, endpoints } = destination;
  const lines = [`  ${percent(weight)} to ${host}${labelsOf(labels)} port ${port}, ${transport}`];
  const by = policy.rule === "" ? "the proxy's defaults" : policy.rule;
  lines.push(`      balancing ${policy.loadBalancing} by ${by}`);
  if (policy.rule !== "") {
    lines.push(...policyLine("limits", policy.limits), ...policyLine("ejection", policy.outlierDetection));
  }
  if (identities.length > 0) lines.push(`      answered by ${identities.join(" or ")}`);
  if (endpoints === undefined) return lines;
  if (endpoints.length === 0) lines.push(`      ${colours.bad("no instance")}: requests are answered 503 (UH)`);
  for (const { instance, address, healthy } of endpoints.slice(0, MAX_ENDPOINTS)) {
    lines.push(`      ${healthy ? colours.good("healthy  ") : colours.bad("unhealthy")} ${instance} ${address}`);
  }
  if (endpoints.length > MAX_ENDPOINTS) lines.push(`      and ${endpoints.length - MAX_ENDPOINTS} more`);
  return lines;
}

function policyLine(what: string, values: Readonly<Record<string, number>>): string[] {
  const told = Object.entries(values).filter(([, value]) => value !== 0);
  return told.length === 0 ? [] : [`      ${what} ${told.map(([name, value]) => `${name} ${value}`).join(", ")}`];
}

function checkLines(
  { asked, failOpen, quotas, rules, verdict }: NonNullable<Explanation["checks"]>,
  colours: Palette,
): string[] {
  if (!asked) return ["  checks     none applies"];
  const lines = [`  checks     Mixer is asked; without an answer ${failOpen ? "the request passes" : "it is refused"}`];
  for (const { quota, charge } of quotas) lines.push(`             charges ${charge} of quota ${quota}`);
  for (const rule of rules) lines.push(`             ${rule} applies`);
  if (verdict === undefined) return lines;
  const text = verdict.allowed
    ? colours.good("allowed")
    : `${colours.bad("refused")} with ${verdict.httpStatus} ${verdict.status}${verdict.message === "" ? "" : `: ${verdict.message}`}`;
  return [...lines, `             now: ${text}`];
}

function editsText({ remove, set, add }: HeaderEditsExplained): string {
  return [
    ...remove.map((name) => `-${name}`),
    ...Object.entries(set).map(([name, value]) => `${name}=${value}`),
    ...add.map(({ name, value }) => `+${name}=${value}`),
  ].join(", ");
}

function ruleName(rule: string): string {
  return rule === "default" ? "the default route" : rule;
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? "" : `{${pairs.sort().join(",")}}`;
}

function percent(share: number): string {
  return `${Number(share.toFixed(2))} %`;
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
