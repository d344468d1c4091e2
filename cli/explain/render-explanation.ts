import type { Palette } from "../render.ts";
import type {
  ConsideredExplained,
  DestinationExplained,
  Explanation,
  HeaderEditsExplained,
  RouteExplained,
} from "./explanation.ts";
import { percent, policyLines, seconds } from "./policy-text.ts";

const MAX_ENDPOINTS = 10;
/** Rules that were passed over or not reached: more are counted. */
const MAX_CONSIDERED = 50;
/** Characters of conditions and bodies in a line. */
const MAX_TEXT = 120;

/** An explanation for people: what happens first, then why. */
export function renderExplanation(explanation: Explanation, colours: Palette): string {
  const { request, route, rule, answer, destinations, mirrors, checks, considered, pending, notes } = explanation;
  const as = request.identity === "" ? "" : `, as ${request.identity}`;
  const lines = [`${request.method} ${request.url}, from ${request.from}${labelsOf(request.labels)}${as}`, ""];
  lines.push(...outcomeLines(explanation, colours));
  if (route !== undefined) lines.push(...routeLines(route, rule, answer !== undefined));
  for (const destination of destinations) lines.push(...destinationLines(destination, colours));
  for (const mirror of mirrors) {
    lines.push(`  copy of ${percent(mirror.weight)} to ${mirror.host}${labelsOf(mirror.labels)} port ${mirror.port}`);
  }
  if (checks !== undefined) lines.push(...checkLines(checks, colours));
  if (considered.length > 0) lines.push("", "Considered, in this order:");
  for (const each of considered.slice(0, MAX_CONSIDERED)) lines.push(`  ${consideredLine(each, colours)}`);
  if (considered.length > MAX_CONSIDERED) lines.push(`  and ${considered.length - MAX_CONSIDERED} more`);
  if (pending.length > 0) lines.push("", "Waiting, and not in force:");
  for (const { rule: waiting, reason } of pending) {
    const before = considered.some((each) => each.rule === waiting);
    lines.push(`  ${colours.bad(waiting)}: ${reason}${before ? "; until then its earlier revision stands" : ""}`);
  }
  if (notes.length > 0) lines.push("", ...notes.map((note) => `Note: ${note}`));
  return lines.join("\n");
}

/** In one line, what the caller gets. */
function outcomeLines({ service, rule, route, answer, checks }: Explanation, colours: Palette): string[] {
  if (answer !== undefined) {
    const flag = answer.flag === "" ? "" : ` (${answer.flag} ${answer.detail})`;
    const to = answer.location === undefined ? "" : `, location ${answer.location}`;
    const body = answer.body ? `, body ${JSON.stringify(shorten(answer.body))}` : "";
    const status = answer.status >= 400 ? colours.bad(String(answer.status)) : colours.good(String(answer.status));
    return [`The proxy answers ${status} itself${flag}: ${answer.reason}${to}${body}`];
  }
  if (service === undefined) return [`${colours.good("Passed through")}: the host is outside of the mesh`];
  const to = `to ${service.host} port ${service.port} by ${ruleName(rule)}`;
  const aborted = route?.fault?.abort;
  if (aborted !== undefined && aborted.percent >= 100) return [`${colours.bad("Aborted, not forwarded")} ${to}`];
  const refused = checks?.verdict?.allowed === false ? checks.verdict : undefined;
  if (refused === undefined) return [`${colours.good("Forwarded")} ${to}`];
  return [
    `${colours.bad("Refused")} with ${refused.httpStatus} at its destination: forwarded ${to}, where a check fails`,
  ];
}

function consideredLine({ step, rule, outcome, ...rest }: ConsideredExplained, colours: Palette): string {
  const mark = outcome === "chosen" ? colours.good("chosen     ") : colours.dim(outcome.padEnd(11));
  const what = step === "host" ? rule : `${step} ${rule}${rest.route === undefined ? "" : ` ${rest.route}`}`;
  const { when = [] } = rest;
  const asks = step === "host" ? "" : ` (${shorten(when.join(" and ")) || "every request"})`;
  if (outcome === "chosen") return `${mark} ${what}${asks}`;
  const reason = "reason" in rest ? rest.reason : "";
  // Of its own condition a host says nothing but its name; what is not reached needs no reason but what it would ask for.
  if (outcome === "not reached") return `${mark} ${what}${step === "host" ? `: ${reason}` : asks}`;
  return `${mark} ${what}: ${reason.startsWith(`${rule}: `) ? reason.slice(rule.length + 2) : reason}`;
}

function routeLines(
  { name, timeoutMs, retries, fault, rewrite, rateLimit, ...route }: RouteExplained,
  rule: string,
  answers: boolean,
): string[] {
  const lines: string[] = [];
  const tell = (what: string, text: string) => lines.push(`  ${what.padEnd(10)} ${text}`);
  if (name !== "") tell("route", `${name} of ${rule}`);
  if (answers) return lines;
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
  if (route.hash !== undefined) tell("hash", `of ${route.hash.join(", ")}, where the balancing is by hash`);
  if (rateLimit !== undefined)
    tell(
      "limit",
      `${rateLimit.tokensPerFill} requests in ${seconds(rateLimit.fillIntervalMs)}, ${rateLimit.maxTokens} at once`,
    );
  return lines;
}

function destinationLines(destination: DestinationExplained, colours: Palette): string[] {
  const { host, labels, port, weight, policy, transport, identities, endpoints } = destination;
  const over = transport === "unknown" ? "" : `, over ${transport}`;
  const lines = [`  ${percent(weight)} to ${host}${labelsOf(labels)} port ${port}${over}`];
  lines.push(...policyLines(policy).map((line) => `      ${line}`));
  if (identities.length > 0) lines.push(`      whose certificate must say ${identities.join(" or ")}`);
  if (endpoints === undefined) return lines;
  if (endpoints.length === 0) lines.push(`      ${colours.bad("no instance")}: requests are answered 503 (UH)`);
  for (const { instance, address, healthy } of endpoints.slice(0, MAX_ENDPOINTS)) {
    lines.push(`      ${healthy ? colours.good("healthy  ") : colours.bad("unhealthy")} ${instance} ${address}`);
  }
  if (endpoints.length > MAX_ENDPOINTS) lines.push(`      and ${endpoints.length - MAX_ENDPOINTS} more`);
  return lines;
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

function shorten(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 3)}...` : text;
}

function ruleName(rule: string): string {
  return rule === "default" ? "the default route" : rule;
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? "" : `{${pairs.sort().join(",")}}`;
}
