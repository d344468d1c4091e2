import type { CodeDefinition } from "../code.ts";

const GATEWAY_INSTANCE = "istio-ingress.istio-system 80/http istio=ingressgateway gateway";

function gateway(name: string, host: string, port = 80): string {
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: ${port}, name: http, protocol: HTTP}
    hosts: ["${host}"]
`;
}

function virtualService(name: string, host: string, bound = "public"): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec:
  hosts: ["${host}"]
  gateways: [${bound}]
  http:
  - route: [{destination: {host: reviews}}]
`;
}

export const GATEWAY_WITHOUT_WORKLOADS: CodeDefinition = {
  code: "LAT0401",
  name: "GatewayWithoutWorkloads",
  level: "Error",
  meaning: "No gateway carries the labels that a Gateway selects, so nobody opens its ports.",
  remedy: "correct the selector, or start a gateway (PROXY_MODE=gateway) whose MESH_LABELS carry these labels",
  example: {
    yaml: gateway("public", "shop.example.com"),
    registered: [GATEWAY_INSTANCE.replace("istio=ingressgateway", "istio=ingress")],
    repaired: { registered: [GATEWAY_INSTANCE] },
  },
};

export const PORT_NOT_OPEN: CodeDefinition = {
  code: "LAT0402",
  name: "PortNotOpen",
  level: "Error",
  meaning:
    "A server's port is open at no gateway that is selected. Port 80 is what a gateway was started with as GATEWAY_PORT, others are those of GATEWAY_PORTS.",
  remedy: "start the gateway with the port, or name one that it has",
  example: {
    yaml: gateway("public", "shop.example.com", 8443),
    registered: [GATEWAY_INSTANCE],
    repaired: { replace: [["number: 8443", "number: 80"]] },
  },
};

export const HOST_NOT_IN_GATEWAY: CodeDefinition = {
  code: "LAT0403",
  name: "HostNotInGateway",
  level: "Error",
  meaning:
    "A VirtualService is bound to a Gateway none of whose servers has its host (or has it for VirtualServices of its namespace). No request for that host comes in.",
  remedy: "add the host to a server of the Gateway, or correct it",
  example: {
    yaml: `${gateway("public", "shop.example.com")}---${virtualService("shop", "shop.example.org")}`,
    repaired: { replace: [["shop.example.org", "shop.example.com"]] },
  },
};

export const CONFLICTING_GATEWAYS: CodeDefinition = {
  code: "LAT0404",
  name: "ConflictingGateways",
  level: "Warning",
  meaning:
    "Two Gateways have one port and host on the same gateways. A request for it meets the routes bound to either, mixed by age.",
  remedy: "make the hosts differ, or bind the VirtualServices to one Gateway",
  example: {
    yaml: `${gateway("public", "shop.example.com")}---${gateway("partners", "shop.example.com")}`,
    repaired: {
      replace: [
        [
          'partners, namespace: default}\nspec:\n  selector: {istio: ingressgateway}\n  servers:\n  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: ["shop.example.com"]',
          'partners, namespace: default}\nspec:\n  selector: {istio: ingressgateway}\n  servers:\n  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: ["partners.example.com"]',
        ],
      ],
    },
  },
};

export const SHARED_GATEWAY_HOST: CodeDefinition = {
  code: "LAT0405",
  name: "SharedGatewayHost",
  level: "Info",
  meaning:
    "Several VirtualServices have one host on one Gateway. Their routes are merged: those of the oldest first, routes without conditions last.",
  remedy: "put them into one VirtualService that delegates, where the order matters",
  example: {
    yaml: `${gateway("public", "shop.example.com")}---${virtualService("shop", "shop.example.com")}---${virtualService("shop-api", "shop.example.com")}`,
    repaired: {
      replace: [
        [
          'name: shop-api, namespace: default}\nspec:\n  hosts: ["shop.example.com"]\n  gateways: [public]',
          'name: shop-api, namespace: default}\nspec:\n  hosts: ["shop.example.com"]\n  gateways: [mesh]',
        ],
      ],
    },
  },
};

export const UNUSED_GATEWAY_SERVER: CodeDefinition = {
  code: "LAT0406",
  name: "UnusedGatewayServer",
  level: "Info",
  meaning: "No VirtualService is bound to a Gateway for a host of one of its servers. Requests for it get 404.",
  remedy: "bind a VirtualService to the Gateway for that host, or delete the host",
  example: {
    yaml: gateway("public", "shop.example.com"),
    repaired: {
      replace: [
        [
          'hosts: ["shop.example.com"]\n',
          `hosts: ["shop.example.com"]\n---${virtualService("shop", "shop.example.com")}`,
        ],
      ],
    },
  },
};

function ingressRule(name: string, uri: string, precedence: number): string {
  return `
apiVersion: config.istio.io/v1alpha2
kind: IngressRule
metadata: {name: ${name}, namespace: istio-system}
spec:
  precedence: ${precedence}
  destination: {name: reviews, namespace: default}
  match: {request: {headers: {uri: {prefix: ${uri}}}}}
`;
}

export const HIDDEN_FROM_GATEWAY: CodeDefinition = {
  code: "LAT0408",
  name: "HiddenFromGateway",
  level: "Error",
  meaning:
    "A VirtualService is bound to a Gateway, and is not exported to the namespace in which the gateways themselves run. They do not see it.",
  remedy: "add the namespace of the gateways to exportTo",
  example: {
    yaml: `${gateway("public", "shop.example.com")}---${virtualService("shop", "shop.example.com").replace("  gateways", '  exportTo: ["."]\n  gateways')}`,
    registered: [GATEWAY_INSTANCE, "reviews.default 80/http"],
    repaired: { replace: [['exportTo: ["."]', 'exportTo: [".", istio-system]']] },
  },
};

export const UNREACHABLE_INGRESS_RULE: CodeDefinition = {
  code: "LAT0407",
  name: "UnreachableIngressRule",
  level: "Warning",
  meaning:
    "IngressRules are tried in the order of precedence, highest first, and then of their names. Whatever fits this one fits one before it.",
  remedy: "give the rule a higher precedence than the one that covers it, or delete it",
  example: {
    yaml: `${ingressRule("all", "/", 2)}---${ingressRule("reviews", "/reviews", 1)}`,
    repaired: { replace: [["precedence: 1", "precedence: 3"]] },
  },
};
