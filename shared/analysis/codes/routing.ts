import type { CodeDefinition } from "../code.ts";

const TO_REVIEWS = "route: [{destination: {host: reviews}}]";

function virtualService(name: string, http: string, more = ""): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [reviews]
${more}  http:
${http}`;
}

export const CONFLICTING_HOSTS: CodeDefinition = {
  code: "LAT0201",
  name: "ConflictingHosts",
  level: "Warning",
  meaning:
    "Several VirtualServices of sidecars have one host and the same callers. They are not merged: for each caller one is in force, and the others have no effect. First comes one exported only to its own namespace, then one exported to named namespaces, then one for all; among equals the oldest. (On gateways they are merged.)",
  remedy: "put the routes into one VirtualService, or export them to different namespaces",
  example: {
    yaml: `${virtualService("reviews", `  - ${TO_REVIEWS}\n`)}---${virtualService("reviews-timeout", `  - timeout: 2s\n    ${TO_REVIEWS}\n`)}`,
    repaired: {
      replace: [
        [
          "name: reviews-timeout, namespace: default}\nspec:\n  hosts: [reviews]",
          "name: reviews-timeout, namespace: default}\nspec:\n  hosts: [ratings]",
        ],
      ],
    },
  },
};

export const UNREACHABLE_ROUTE: CodeDefinition = {
  code: "LAT0202",
  name: "UnreachableRoute",
  level: "Warning",
  meaning:
    "Routes are tried in order and the first that fits is taken. Whatever fits this one fits an earlier one, so it is never taken.",
  remedy: "move the route before the one that covers it, or delete it",
  example: {
    yaml: virtualService(
      "reviews",
      `  - ${TO_REVIEWS}\n  - match: [{uri: {prefix: /v2}}]\n    timeout: 2s\n    ${TO_REVIEWS}\n`,
    ),
    repaired: {
      replace: [
        [
          `  - ${TO_REVIEWS}\n  - match: [{uri: {prefix: /v2}}]\n    timeout: 2s\n    ${TO_REVIEWS}\n`,
          `  - match: [{uri: {prefix: /v2}}]\n    timeout: 2s\n    ${TO_REVIEWS}\n  - ${TO_REVIEWS}\n`,
        ],
      ],
    },
  },
};

export const INEFFECTIVE_MATCH: CodeDefinition = {
  code: "LAT0203",
  name: "IneffectiveMatch",
  level: "Info",
  meaning:
    "One of a route's matches is never decisive: whatever fits it fits an earlier match. The route's other matches have effect.",
  remedy: "delete the match, or make it differ",
  example: {
    yaml: virtualService(
      "reviews",
      `  - match: [{uri: {prefix: /api}}]\n    timeout: 2s\n    ${TO_REVIEWS}\n  - match: [{uri: {prefix: /api/v2}}, {uri: {prefix: /other}}]\n    ${TO_REVIEWS}\n  - ${TO_REVIEWS}\n`,
    ),
    repaired: { replace: [["[{uri: {prefix: /api/v2}}, {uri: {prefix: /other}}]", "[{uri: {prefix: /other}}]"]] },
  },
};

const ROUTE_RULE = `
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: reviews-v1, namespace: default}
spec:
  destination: {name: reviews}
  route: [{labels: {version: v1}}]
`;

export const OVERRULED_ROUTE_RULE: CodeDefinition = {
  code: "LAT0204",
  name: "OverruledRouteRule",
  level: "Warning",
  meaning:
    "A VirtualService is in force for the host of a RouteRule. For its callers the rules of the older dialect are not.",
  remedy: "put what the RouteRule says into the VirtualService, then delete the rule",
  example: {
    yaml: `${ROUTE_RULE}---${virtualService("reviews", `  - ${TO_REVIEWS}\n`)}`,
    repaired: { replace: [["hosts: [reviews]", "hosts: [ratings]"]] },
  },
};

function secondRule(precedence: number): string {
  return `---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: reviews-jason, namespace: default}
spec:
  destination: {name: reviews}
  precedence: ${precedence}
  match: {request: {headers: {end-user: {exact: jason}}}}
  route: [{labels: {version: v2}}]
`;
}

const FIRST_RULE = ROUTE_RULE.replace(
  "  destination: {name: reviews}\n",
  "  destination: {name: reviews}\n  precedence: 2\n",
);

export const UNREACHABLE_RULE: CodeDefinition = {
  code: "LAT0205",
  name: "UnreachableRule",
  level: "Warning",
  meaning:
    "Rules of one destination are tried in the order of precedence, highest first, and then of their names. Whatever fits this rule fits one before it, so it is never taken.",
  remedy: "give the rule a higher precedence than the one that covers it, or delete it",
  example: {
    yaml: `${FIRST_RULE}${secondRule(1)}`,
    repaired: { replace: [["precedence: 1", "precedence: 3"]] },
  },
};

export const AMBIGUOUS_PRECEDENCE: CodeDefinition = {
  code: "LAT0206",
  name: "AmbiguousPrecedence",
  level: "Warning",
  meaning:
    "Two rules of one destination have one precedence, and requests fit both. Which is taken depends on their names alone.",
  remedy: "give the more specific rule the higher precedence",
  example: {
    yaml: `${FIRST_RULE}${secondRule(2)}`,
    repaired: { replace: [["precedence: 2\n  match", "precedence: 3\n  match"]] },
  },
};

export const IMPOSSIBLE_MATCH: CodeDefinition = {
  code: "LAT0207",
  name: "ImpossibleMatch",
  level: "Warning",
  meaning:
    "No request can fit the condition. A regular expression must match the whole value: one of a uri must be able to begin with a slash, and nothing can stand before ^ or after $. The uri of a match has no query, methods are in upper case, schemes are http and https.",
  remedy: "write the condition so that the whole value can fit it",
  example: {
    yaml: virtualService(
      "reviews",
      `  - match: [{uri: {regex: "api/v[12]/.*"}}]\n    timeout: 2s\n    ${TO_REVIEWS}\n  - ${TO_REVIEWS}\n`,
    ),
    repaired: { replace: [['"api/v[12]/.*"', '"/api/v[12]/.*"']] },
  },
};

export const LITERAL_REGEX: CodeDefinition = {
  code: "LAT0208",
  name: "LiteralRegex",
  level: "Info",
  meaning:
    "A regular expression without any special character fits just its own text, since the whole value must match. A cookie header with more in it does not fit, for instance.",
  remedy: "write exact: instead, or put .* around what may stand anywhere in the value",
  example: {
    yaml: virtualService(
      "reviews",
      `  - match: [{headers: {cookie: {regex: user=jason}}}]\n    timeout: 2s\n    ${TO_REVIEWS}\n  - ${TO_REVIEWS}\n`,
    ),
    repaired: { replace: [["regex: user=jason", 'regex: "(.*; ?)?user=jason(;.*)?"']] },
  },
};

const SUBSETS = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
`;

function weighted(first: number, second: number): string {
  return (
    virtualService(
      "reviews",
      `  - route:
    - {destination: {host: reviews, subset: v1}, weight: ${first}}
    - {destination: {host: reviews, subset: v2}, weight: ${second}}
`,
    ) + SUBSETS
  );
}

export const UNUSED_DESTINATION: CodeDefinition = {
  code: "LAT0209",
  name: "UnusedDestination",
  level: "Info",
  meaning: "A destination beside others has weight 0 (the default there), so nothing is sent to it.",
  remedy: "give it a weight, or delete it once the shift is done",
  example: {
    yaml: weighted(100, 0),
    repaired: {
      replace: [
        ["weight: 100", "weight: 90"],
        ["weight: 0", "weight: 10"],
      ],
    },
  },
};

export const UNEVEN_WEIGHTS: CodeDefinition = {
  code: "LAT0210",
  name: "UnevenWeights",
  level: "Info",
  meaning:
    "The weights of a route do not add up to 100. They are shares of their sum, so each destination gets more or less than its number says.",
  remedy: "make the weights add up to 100, so that they can be read as percent",
  example: { yaml: weighted(80, 10), repaired: { replace: [["weight: 80", "weight: 90"]] } },
};

export const ROUTE_ON_TCP_PORT: CodeDefinition = {
  code: "LAT0211",
  name: "RouteOnTcpPort",
  level: "Warning",
  meaning:
    "HTTP routes are for a service of which no port speaks HTTP. Its connections are passed on as bytes, so the routes are never looked at.",
  remedy:
    "declare the port's protocol (MESH_PORTS=9080:http=..., or the ServiceEntry's protocol), or delete the routes",
  example: {
    yaml: virtualService("reviews", `  - ${TO_REVIEWS}\n`),
    registered: ["reviews.default 9080/tcp"],
    repaired: { registered: ["reviews.default 9080/http"] },
  },
};

export const NO_CATCH_ALL: CodeDefinition = {
  code: "LAT0212",
  name: "NoCatchAll",
  level: "Info",
  meaning:
    "Every route of the VirtualService has conditions. A request that fits none of them gets 404, since a VirtualService takes the place of the service's default route.",
  remedy: "add a last route without match, unless 404 is meant",
  example: {
    yaml: virtualService("reviews", `  - match: [{uri: {prefix: /reviews}}]\n    ${TO_REVIEWS}\n`),
    repaired: { replace: [["match: [{uri: {prefix: /reviews}}]\n    ", ""]] },
  },
};

export const RETRIES_CANNOT_ACT: CodeDefinition = {
  code: "LAT0213",
  name: "RetriesCannotAct",
  level: "Warning",
  meaning:
    "The time limit of one try is not shorter than that of the whole request (15 s unless the route says otherwise), so a slow try is never repeated.",
  remedy: "shorten the limit of a try, or lengthen the route's timeout",
  example: {
    yaml: virtualService(
      "reviews",
      `  - timeout: 2s\n    retries: {attempts: 3, perTryTimeout: 5s}\n    ${TO_REVIEWS}\n`,
    ),
    repaired: { replace: [["perTryTimeout: 5s", "perTryTimeout: 500ms"]] },
  },
};

export const FOREIGN_GATEWAY_MATCH: CodeDefinition = {
  code: "LAT0214",
  name: "ForeignGatewayMatch",
  level: "Error",
  meaning:
    "A match is for a gateway to which the VirtualService is not bound, so no request can fit it. To be in force for sidecars beside gateways, spec.gateways must name `mesh` as well.",
  remedy: "add the gateway (or mesh) to spec.gateways, or take it out of the match",
  example: {
    yaml: virtualService(
      "reviews",
      `  - match: [{gateways: [default/public]}]\n    timeout: 2s\n    ${TO_REVIEWS}\n  - ${TO_REVIEWS}\n`,
    ),
    repaired: { replace: [["{gateways: [default/public]}", "{gateways: [mesh]}"]] },
  },
};

export const UNUSED_DELEGATE: CodeDefinition = {
  code: "LAT0215",
  name: "UnusedDelegate",
  level: "Warning",
  meaning: "A VirtualService without hosts is only there to be delegated to, and no route delegates to it.",
  remedy: "give it hosts, delegate to it, or delete it",
  example: {
    yaml: virtualService("reviews-team", `  - ${TO_REVIEWS}\n`).replace("  hosts: [reviews]\n", ""),
    repaired: { replace: [["spec:\n", "spec:\n  hosts: [reviews]\n"]] },
  },
};

export const DUPLICATE_DESTINATION: CodeDefinition = {
  code: "LAT0216",
  name: "DuplicateDestination",
  level: "Info",
  meaning: "A route names one destination twice; its weights add up.",
  remedy: "name it once, with the sum of the weights, or correct its subset",
  example: {
    yaml: weighted(90, 10).replace("subset: v2}, weight", "subset: v1}, weight"),
    repaired: { replace: [["subset: v1}, weight: 10", "subset: v2}, weight: 10"]] },
  },
};

export const DELEGATE_OUTSIDE: CodeDefinition = {
  code: "LAT0217",
  name: "DelegateOutside",
  level: "Warning",
  meaning:
    "A route of a delegate asks for a path that cannot fit the route that delegates. It must fit both, so it is never taken.",
  remedy: "write the delegate's path below the one that is delegated",
  example: {
    yaml: `${virtualService("shop", "  - match: [{uri: {prefix: /reviews}}]\n    delegate: {name: reviews-team, namespace: default}\n")}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews-team, namespace: default}
spec:
  http:
  - match: [{uri: {prefix: /ratings}}]
    ${TO_REVIEWS}
`,
    repaired: { replace: [["prefix: /ratings", "prefix: /reviews/1"]] },
  },
};

export const UNKNOWN_MATCH_PORT: CodeDefinition = {
  code: "LAT0218",
  name: "UnknownMatchPort",
  level: "Warning",
  meaning:
    "A match is for a port that neither the hosts of the VirtualService nor the Gateways it is bound to have. The port of a match is the one that was called, not that of the destination.",
  remedy: "name a port that is called, or leave it out",
  example: {
    yaml: virtualService(
      "reviews",
      `  - match: [{port: 8080}]\n    timeout: 2s\n    ${TO_REVIEWS}\n  - ${TO_REVIEWS}\n`,
    ),
    registered: ["reviews.default 9080/http"],
    repaired: { replace: [["{port: 8080}", "{port: 9080}"]] },
  },
};

export const UNKNOWN_VERSION: CodeDefinition = {
  code: "LAT0219",
  name: "UnknownVersion",
  level: "Warning",
  meaning:
    "A RouteRule sends to labels that no instance of the service carries. A new rule stays pending; one in force gets 503.",
  remedy: "correct the labels, or start instances that carry them",
  example: {
    yaml: ROUTE_RULE,
    registered: ["reviews.default 9080/http version=v2"],
    repaired: { registered: ["reviews.default 9080/http version=v1"] },
  },
};
