import { COOKIE_PATTERN, routePrefix, type Work } from "./work.ts";

interface RuleContent {
  readonly precedence: number;
  readonly match?: object;
  readonly headers: Readonly<Record<string, string>>;
}

/** Pilot takes at most 1000 documents at once; fewer are answered in time on a busy machine too. */
const MAX_DOCUMENTS = 100;

/** The work as RouteRules, in as many submissions as it takes. */
export function submissionsOf(work: Work): string[] {
  const rules = rulesOf(work);
  const count = Math.ceil(rules.length / MAX_DOCUMENTS);
  return Array.from({ length: count }, (_, index) =>
    rules.slice(index * MAX_DOCUMENTS, (index + 1) * MAX_DOCUMENTS).join("\n---\n"),
  );
}

function rulesOf(work: Work): string[] {
  const headers = headersOf(work);
  const { service } = work;
  const rules = [routeRule(service, `${service}-default`, { precedence: 1, headers })];
  if (work.decidesByCookie) {
    const match = { request: { headers: { cookie: { regex: COOKIE_PATTERN } } } };
    rules.push(routeRule(service, `${service}-jason`, { precedence: 2, match, headers }));
  }
  for (let route = 0; route < work.routes; route++) {
    const match = { request: { headers: { uri: { prefix: routePrefix(route) } } } };
    rules.push(routeRule(service, `${service}-${route}`, { precedence: 2, match, headers }));
  }
  return rules;
}

/** The rule for everything else, with one more header: what a change of configuration looks like. */
export function changedDefault(work: Work, turn: number): string {
  const headers = { ...headersOf(work), "x-bench-turn": String(turn) };
  return routeRule(work.service, `${work.service}-default`, { precedence: 1, headers });
}

/** A RouteRule knows no headers of answers; one more on the request takes the place of each. */
function headersOf({ headers }: Work): Record<string, string> {
  return Object.fromEntries(headers.map(({ name, value }) => [name, value]));
}

function routeRule(service: string, name: string, { precedence, match, headers }: RuleContent): string {
  return JSON.stringify({
    apiVersion: "config.istio.io/v1alpha2",
    kind: "RouteRule",
    metadata: { name, namespace: "default" },
    spec: {
      destination: { name: service },
      precedence,
      ...(match === undefined ? {} : { match }),
      route: [{ labels: { version: "v1" } }],
      ...(Object.keys(headers).length === 0 ? {} : { appendHeaders: headers }),
    },
  });
}
