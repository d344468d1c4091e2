import type { CodeDefinition } from "../code.ts";

const REVIEWS = ["reviews.default 9080/http version=v1", "reviews.default 9080/http version=v2"];

export const UNKNOWN_HOST: CodeDefinition = {
  code: "LAT0101",
  name: "UnknownHost",
  level: "Error",
  meaning:
    "A route sends to a host that is no registered service and that no ServiceEntry or EgressRule visible there has. The rule stays pending; if it replaced an earlier revision, that one stays in force. A short name is completed in the namespace of the rule, not in that of the caller.",
  remedy:
    "correct the name (with its namespace: name.namespace.svc.cluster.local), start the service, or add a ServiceEntry",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: review}
`,
    registered: REVIEWS,
    repaired: { replace: [["host: review}", "host: reviews}"]] },
  },
};

export const UNKNOWN_SUBSET: CodeDefinition = {
  code: "LAT0102",
  name: "UnknownSubset",
  level: "Error",
  meaning:
    "A route names a subset that no DestinationRule in force for its callers defines. Looked for are the rules of the caller's namespace, then those of the service's, then those of istio-system; the first of these that has any rule for the host decides. The route stays pending.",
  remedy: "define the subset in the DestinationRule of that host, or correct its name",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v3}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
`,
    repaired: { replace: [["subset: v3", "subset: v1"]] },
  },
};

export const UNKNOWN_GATEWAY: CodeDefinition = {
  code: "LAT0103",
  name: "UnknownGateway",
  level: "Error",
  meaning:
    "A VirtualService is bound to a Gateway that does not exist. A name without namespace means the namespace of the VirtualService. Nothing comes in through it.",
  remedy: "apply the Gateway, or correct its name (namespace/name)",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec:
  hosts: [shop.example.com]
  gateways: [public]
  http:
  - route:
    - destination: {host: reviews}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public-gateway, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [shop.example.com]
`,
    repaired: { replace: [["gateways: [public]", "gateways: [public-gateway]"]] },
  },
};

const HANDLER = `
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny, namespace: istio-system}
spec:
  actions:
  - handler: refuse.denier
    instances: [nothing.checknothing]
`;

export const UNKNOWN_HANDLER: CodeDefinition = {
  code: "LAT0104",
  name: "UnknownHandler",
  level: "Error",
  meaning:
    "A rule of Mixer names a handler that does not exist. A name without namespace means the namespace of the rule.",
  remedy: "apply the handler, or correct its name (name.kind.namespace)",
  example: {
    yaml: `${HANDLER}---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: nothing, namespace: istio-system}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: refuse, namespace: default}
spec: {status: {code: 7}}
`,
    repaired: { replace: [["{name: refuse, namespace: default}", "{name: refuse, namespace: istio-system}"]] },
  },
};

export const UNKNOWN_INSTANCE: CodeDefinition = {
  code: "LAT0105",
  name: "UnknownInstance",
  level: "Error",
  meaning:
    "A rule of Mixer names an instance that does not exist. A name without namespace means the namespace of the rule.",
  remedy: "apply the instance, or correct its name (name.kind.namespace)",
  example: {
    yaml: `${HANDLER}---
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: refuse, namespace: istio-system}
spec: {status: {code: 7}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: nothing-at-all, namespace: istio-system}
spec: {}
`,
    repaired: { replace: [["name: nothing-at-all", "name: nothing"]] },
  },
};

const DELEGATING = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /reviews}}]
    delegate: {name: reviews-team, namespace: default}
`;

export const UNKNOWN_DELEGATE: CodeDefinition = {
  code: "LAT0106",
  name: "UnknownDelegate",
  level: "Error",
  meaning:
    "A route delegates to a VirtualService that does not exist, or is not exported to the namespace that delegates. Requests that fit it get 404.",
  remedy: "apply the VirtualService without hosts, or correct name and namespace",
  example: {
    yaml: `${DELEGATING}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews-route, namespace: default}
spec:
  http:
  - route:
    - destination: {host: reviews}
`,
    repaired: { replace: [["name: reviews-team", "name: reviews-route"]] },
  },
};

export const BAD_DELEGATE: CodeDefinition = {
  code: "LAT0107",
  name: "BadDelegate",
  level: "Error",
  meaning:
    "A route delegates to a VirtualService that cannot be a delegate: it has hosts of its own, or delegates further. Delegation goes one level deep, which also keeps it from going in circles.",
  remedy: "take hosts and delegates out of the VirtualService that is delegated to",
  example: {
    yaml: `${DELEGATING}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews-team, namespace: default}
spec:
  hosts: [ratings]
  http:
  - route:
    - destination: {host: reviews}
`,
    repaired: { replace: [["  hosts: [ratings]\n", ""]] },
  },
};

export const POLICY_FOR_UNKNOWN_HOST: CodeDefinition = {
  code: "LAT0108",
  name: "PolicyForUnknownHost",
  level: "Warning",
  meaning:
    "A DestinationRule, DestinationPolicy or QuotaSpecBinding is for a host that is no service and no entry. It has no effect.",
  remedy: "correct the host (with its namespace), or delete the policy",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews.prod.svc.cluster.local
  trafficPolicy: {loadBalancer: {simple: RANDOM}}
`,
    registered: REVIEWS,
    repaired: { replace: [["reviews.prod.svc", "reviews.default.svc"]] },
  },
};

export const UNKNOWN_PORT: CodeDefinition = {
  code: "LAT0109",
  name: "UnknownPort",
  level: "Error",
  meaning:
    "A destination names a port that the service does not have. What it names is the port of the service, not that of a container. Requests get 404 or 503.",
  remedy: "name a port that the service has",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, port: {number: 8080}}
`,
    registered: REVIEWS,
    repaired: { replace: [["number: 8080", "number: 9080"]] },
  },
};

export const PORT_REQUIRED: CodeDefinition = {
  code: "LAT0110",
  name: "PortRequired",
  level: "Warning",
  meaning:
    "A destination without port means the port that was called, or the service's only one. Here another host or a gateway is called, the service has several ports, and none of them need be the port that was called.",
  remedy: "name the port: destination.port.number",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec:
  hosts: [shop]
  http:
  - route:
    - destination: {host: cart}
`,
    registered: ["shop.default 80/http", "cart.default 8080/http,9090/grpc"],
    repaired: { replace: [["{host: cart}", "{host: cart, port: {number: 8080}}"]] },
  },
};

export const UNKNOWN_NAMESPACE: CodeDefinition = {
  code: "LAT0111",
  name: "UnknownNamespace",
  level: "Warning",
  meaning:
    "A resource is exported to a namespace, or names hosts of one, in which there is no service and no resource.",
  remedy: "correct the namespace, or leave it out",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  exportTo: [defualt]
  http:
  - route:
    - destination: {host: reviews}
`,
    registered: REVIEWS,
    repaired: { replace: [["exportTo: [defualt]", "exportTo: [default]"]] },
  },
};

export const UNKNOWN_QUOTA_SPEC: CodeDefinition = {
  code: "LAT0112",
  name: "UnknownQuotaSpec",
  level: "Error",
  meaning: "A QuotaSpecBinding names a QuotaSpec that does not exist, so nothing is charged by it.",
  remedy: "apply the QuotaSpec, or correct name and namespace",
  example: {
    yaml: `
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {name: requests, namespace: default}
spec:
  services: [{name: reviews}]
  quotaSpecs: [{name: request-counts, namespace: default}]
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata: {name: request-count, namespace: default}
spec:
  rules:
  - quotas: [{quota: requests, charge: 1}]
`,
    repaired: { replace: [["name: request-counts", "name: request-count"]] },
  },
};

export const HIDDEN_HOST: CodeDefinition = {
  code: "LAT0113",
  name: "HiddenHost",
  level: "Error",
  meaning: "A route sends to the host of a ServiceEntry that is not exported to the namespace of the rule.",
  remedy: "add the namespace to exportTo of the ServiceEntry",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: payments, namespace: finance}
spec:
  hosts: [pay.example.com]
  exportTo: ["."]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payments, namespace: default}
spec:
  hosts: [pay.example.com]
  http:
  - timeout: 3s
    route:
    - destination: {host: pay.example.com}
`,
    repaired: { replace: [['exportTo: ["."]', 'exportTo: [".", default]']] },
  },
};

export const UNKNOWN_ROUTE_HOST: CodeDefinition = {
  code: "LAT0115",
  name: "UnknownRouteHost",
  level: "Warning",
  meaning:
    "A VirtualService of sidecars is for a host that is named like a service, and there is none. It answers under that name all the same; if an existing service was meant, that one is not routed by it.",
  remedy: "correct the host (a short name is completed in the namespace of the VirtualService), or start the service",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [review]
  http:
  - route:
    - destination: {host: reviews}
`,
    registered: REVIEWS,
    repaired: { replace: [["hosts: [review]", "hosts: [reviews]"]] },
  },
};

export const UNKNOWN_SOURCE: CodeDefinition = {
  code: "LAT0114",
  name: "UnknownSource",
  level: "Warning",
  meaning:
    "A condition on the caller (source, sourceLabels, sourceNamespace) fits no workload, so the route is never taken.",
  remedy: "correct the labels or the namespace of the caller",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - match: [{sourceLabels: {app: product-page}}]
    fault: {abort: {httpStatus: 500, percentage: {value: 100}}}
    route:
    - destination: {host: reviews}
  - route:
    - destination: {host: reviews}
`,
    registered: [...REVIEWS, "productpage.default 9080/http app=productpage"],
    repaired: { replace: [["app: product-page", "app: productpage"]] },
  },
};
