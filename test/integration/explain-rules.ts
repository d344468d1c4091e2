/**
 * Rules of both dialects over the services of a small mesh, and over a host outside that answers at `outsidePort`; each
 * says in header x-rule which one it is.
 */
export function explainedRules(outsidePort: number): string {
  return `${RULES}---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec:
  hosts: [api.shop.test]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: ${outsidePort}}]
  endpoints: [{address: 127.0.0.1}]
`;
}

const RULES = `
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: exact-path}
spec:
  destination: {name: ratings}
  precedence: 9
  match: {request: {headers: {uri: {exact: /ratings/1}, method: {exact: GET}}}}
  route: [{labels: {version: v2}}]
  rewrite: {uri: /exact, authority: rewritten.example}
  appendHeaders: {x-rule: exact-path}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: pattern}
spec:
  destination: {name: ratings}
  precedence: 8
  match: {request: {headers: {uri: {regex: "/ratings/[0-9]+"}, x-user: {regex: "ja.*"}}}}
  route: [{labels: {version: v1}, weight: 50}, {labels: {version: v2}, weight: 50}]
  rewrite: {uri: /pattern}
  appendHeaders: {x-rule: pattern}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: callers}
spec:
  destination: {name: ratings}
  precedence: 7
  match: {source: {name: guest, labels: {tier: free}}, request: {headers: {uri: {prefix: /ratings}}}}
  httpFault: {abort: {percent: 100, httpStatus: 429}}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: moved}
spec:
  destination: {name: ratings}
  precedence: 6
  match: {request: {headers: {uri: {prefix: /old}}}}
  redirect: {uri: /new, authority: ratings.example}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: rest}
spec:
  destination: {name: ratings}
  route: [{destination: {name: catalog}, labels: {version: v1}}]
  match: {request: {headers: {cookie: {regex: "^(.*?;)?(user=jason)(;.*)?$"}}}}
  appendHeaders: {x-rule: rest}
---
apiVersion: config.istio.io/v1alpha2
kind: IngressRule
metadata: {name: door}
spec:
  destination: {name: ratings}
  destinationPort: 9080
  match: {request: {headers: {uri: {prefix: /ratings}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: one, labels: {version: v1}}
  - {name: two, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: insensitive
    match: [{uri: {prefix: /Reviews/Top}, ignoreUriCase: true}, {queryParams: {top: {exact: "1"}}}]
    rewrite: {uri: /top}
    route: [{destination: {host: reviews, subset: two}}]
    headers: {request: {set: {x-rule: insensitive}}}
  - match: [{headers: {x-user: {exact: jason}}, withoutHeaders: {x-beta: {}}, method: {exact: GET}}]
    rewrite: {uriRegexRewrite: {match: "^/reviews/(.*)$", rewrite: "/for-jason/\\\\1"}}
    route: [{destination: {host: reviews, subset: one}, headers: {request: {add: {x-added: subset}}}}]
    headers: {request: {set: {x-rule: jason}, remove: [x-secret]}}
  - match: [{sourceLabels: {tier: free}}]
    directResponse: {status: 402, body: {string: pay}}
  - match: [{uri: {regex: "/old/.+"}}]
    redirect: {uri: /reviews/new, scheme: https, redirectCode: 308}
  - match: [{authority: {prefix: "reviews.default"}}]
    route: [{destination: {host: ratings}}]
    rewrite: {authority: ratings}
    headers: {request: {set: {x-rule: authority}}}
  - match: [{uri: {prefix: /reviews}}, {scheme: {exact: http}, uri: {exact: /}}]
    route:
    - {destination: {host: reviews, subset: one}, weight: 1}
    - {destination: {host: reviews, subset: two}, weight: 2}
    headers: {request: {set: {x-rule: rest}}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [shop.example, "*.shop.example"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example, "*.shop.example"]
  gateways: [edge]
  http:
  - match: [{uri: {prefix: /reviews}, authority: {regex: "[a-z]+[.]shop[.]example"}}]
    rewrite: {uri: /edge}
    route: [{destination: {host: reviews, subset: two}}]
    headers: {request: {set: {x-rule: shop-wildcard}}}
  - match: [{uri: {prefix: /}}]
    route: [{destination: {host: catalog, port: {number: 9080}}}]
    headers: {request: {set: {x-rule: shop}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: api}
spec:
  hosts: [api.shop.test]
  http:
  - match: [{uri: {prefix: /reviews}}]
    route: [{destination: {host: api.shop.test}}]
    headers: {request: {set: {x-rule: api}}}
  - match: [{method: {exact: DELETE}}]
    directResponse: {status: 405, body: {string: no}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: guest}
spec:
  workloadSelector: {labels: {app: guest}}
  egress: [{hosts: [./reviews.default.svc.cluster.local, ./ratings.default.svc.cluster.local]}]
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
`;
