import type { CodeDefinition } from "../code.ts";

const REVIEWS = ["reviews.default 9080/http version=v1", "reviews.default 9080/http version=v2"];

function destinationRule(name: string, spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: default}
spec:
${spec}`;
}

const ROUTE_TO_V1 = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - route: [{destination: {host: reviews, subset: v1}}]
`;

export const EMPTY_SUBSET: CodeDefinition = {
  code: "LAT0301",
  name: "EmptySubset",
  level: "Warning",
  meaning:
    "No instance of the service carries the labels of a subset. A new route to it stays pending; one in force gets 503.",
  remedy: "correct the labels, or start instances that carry them",
  example: {
    yaml: destinationRule("reviews", "  host: reviews\n  subsets:\n  - {name: v3, labels: {version: v3}}\n"),
    registered: REVIEWS,
    repaired: { registered: [...REVIEWS, "reviews.default 9080/http version=v3"] },
  },
};

export const UNUSED_SUBSET_POLICY: CodeDefinition = {
  code: "LAT0302",
  name: "UnusedSubsetPolicy",
  level: "Warning",
  meaning:
    "A subset has a traffic policy, and no route names the subset. Its policy acts only on what a route sends to it by name, even when every instance carries its labels.",
  remedy: "name the subset in a route of a VirtualService, or put the policy at the top of the DestinationRule",
  example: {
    yaml: `${destinationRule("reviews", "  host: reviews\n  subsets:\n  - name: v1\n    labels: {version: v1}\n    trafficPolicy: {loadBalancer: {simple: RANDOM}}\n")}---${ROUTE_TO_V1.replace(", subset: v1", "")}`,
    repaired: { replace: [["{host: reviews}", "{host: reviews, subset: v1}"]] },
  },
};

export const UNUSED_LABEL_POLICY: CodeDefinition = {
  code: "LAT0303",
  name: "UnusedLabelPolicy",
  level: "Warning",
  meaning:
    "A DestinationPolicy is for certain labels, and no RouteRule sends to exactly these labels. It acts only on what a route names with exactly the same labels.",
  remedy: "name the labels in a RouteRule, or take them out of the policy",
  example: {
    yaml: `
apiVersion: config.istio.io/v1alpha2
kind: DestinationPolicy
metadata: {name: reviews-v1, namespace: default}
spec:
  destination: {name: reviews, labels: {version: v1}}
  loadBalancing: {name: RANDOM}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: reviews, namespace: default}
spec:
  destination: {name: reviews}
  route: [{labels: {version: v2}}]
`,
    repaired: { replace: [["labels: {version: v2}", "labels: {version: v1}"]] },
  },
};

export const MERGED_RULES: CodeDefinition = {
  code: "LAT0304",
  name: "MergedRules",
  level: "Warning",
  meaning:
    "Several DestinationRules of one namespace have one host and define one thing twice: a subset of one name, or the traffic policy at the top. They are merged, oldest first, and the first definition stands; the other has no effect.",
  remedy: "put everything about one host into one DestinationRule",
  example: {
    yaml: `${destinationRule("reviews", "  host: reviews\n  subsets:\n  - {name: v1, labels: {version: v1}}\n")}---${destinationRule("reviews-more", "  host: reviews\n  subsets:\n  - {name: v1, labels: {version: v1, track: stable}}\n")}`,
    repaired: {
      replace: [
        ["name: v1, labels: {version: v1, track: stable}", "name: v1-stable, labels: {version: v1, track: stable}"],
      ],
    },
  },
};

export const OVERRULED_POLICY: CodeDefinition = {
  code: "LAT0305",
  name: "OverruledPolicy",
  level: "Warning",
  meaning:
    "A DestinationRule holds for the destination of a DestinationPolicy. For its callers it takes the place of all policies of the older dialect.",
  remedy: "put what the policy says into the DestinationRule, then delete the policy",
  example: {
    yaml: `
apiVersion: config.istio.io/v1alpha2
kind: DestinationPolicy
metadata: {name: reviews, namespace: default}
spec:
  destination: {name: reviews}
  loadBalancing: {name: RANDOM}
---${destinationRule("reviews", "  host: reviews\n  trafficPolicy: {connectionPool: {tcp: {maxConnections: 10}}}\n")}`,
    repaired: { replace: [["host: reviews", "host: ratings"]] },
  },
};

export const FAILOVER_WITHOUT_EJECTION: CodeDefinition = {
  code: "LAT0306",
  name: "FailoverWithoutEjection",
  level: "Warning",
  meaning:
    "A DestinationRule asks for failover between localities, and nothing takes instances out that answer badly: only instances that say themselves that they are unhealthy count, and those that are unreachable do not.",
  remedy: "add outlierDetection to the same policy",
  example: {
    yaml: destinationRule(
      "reviews",
      "  host: reviews\n  trafficPolicy:\n    loadBalancer: {localityLbSetting: {enabled: true}}\n",
    ),
    repaired: {
      replace: [
        [
          "{localityLbSetting: {enabled: true}}\n",
          "{localityLbSetting: {enabled: true}}\n    outlierDetection: {consecutive5xxErrors: 5}\n",
        ],
      ],
    },
  },
};

export const UNVERIFIED_SERVER: CodeDefinition = {
  code: "LAT0307",
  name: "UnverifiedServer",
  level: "Warning",
  meaning:
    "TLS to a host outside is encrypted, and the server's certificate is not verified: whoever is in between can read and change everything.",
  remedy: "take insecureSkipVerify out; name a file of roots in caCertificates where the server's are not public ones",
  example: {
    yaml:
      destinationRule(
        "pay",
        "  host: pay.example.com\n  trafficPolicy:\n    tls: {mode: SIMPLE, insecureSkipVerify: true}\n",
      ) +
      `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, namespace: default}
spec:
  hosts: [pay.example.com]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 443}]
`,
    repaired: { replace: [["insecureSkipVerify: true", "sni: pay.example.com"]] },
  },
};

export const TLS_CANNOT_ACT: CodeDefinition = {
  code: "LAT0308",
  name: "TlsCannotAct",
  level: "Warning",
  meaning:
    "The TLS settings of a DestinationRule are for connections to instances without a sidecar. Between sidecars all connections are mutual TLS of the mesh, and a host outside has no identity of the mesh to prove.",
  remedy: "take tls out of the policy, or (for a host outside) write mode SIMPLE",
  example: {
    yaml: destinationRule("reviews", "  host: reviews\n  trafficPolicy:\n    tls: {mode: SIMPLE}\n"),
    registered: REVIEWS,
    repaired: { replace: [["    tls: {mode: SIMPLE}\n", "    loadBalancer: {simple: RANDOM}\n"]] },
  },
};

export const POLICY_FOR_UNKNOWN_PORT: CodeDefinition = {
  code: "LAT0309",
  name: "PolicyForUnknownPort",
  level: "Warning",
  meaning: "A port-level policy is for a port that the service does not have. It has no effect.",
  remedy: "name a port of the service (not of a container)",
  example: {
    yaml: destinationRule(
      "reviews",
      "  host: reviews\n  trafficPolicy:\n    portLevelSettings:\n    - {port: {number: 8080}, loadBalancer: {simple: RANDOM}}\n",
    ),
    registered: REVIEWS,
    repaired: { replace: [["number: 8080", "number: 9080"]] },
  },
};

export const SELECTS_NOTHING: CodeDefinition = {
  code: "LAT0310",
  name: "SelectsNothing",
  level: "Warning",
  meaning: "A workload selector fits no workload of the resource's namespace, so the resource has no effect.",
  remedy: "correct the labels, or take the selector out",
  example: {
    yaml: destinationRule(
      "reviews",
      "  host: reviews\n  workloadSelector: {matchLabels: {app: page}}\n  trafficPolicy: {loadBalancer: {simple: RANDOM}}\n",
    ),
    registered: [...REVIEWS, "productpage.default 9080/http app=productpage"],
    repaired: { replace: [["app: page", "app: productpage"]] },
  },
};

export const NO_EFFECT: CodeDefinition = {
  code: "LAT0311",
  name: "NoEffect",
  level: "Info",
  meaning:
    "A DestinationRule has neither a traffic policy nor subsets, or a DestinationPolicy has no setting. It changes nothing.",
  remedy: "say what it is to change, or delete it",
  example: {
    yaml: destinationRule("reviews", "  host: reviews\n"),
    repaired: { replace: [["host: reviews\n", "host: reviews\n  trafficPolicy: {loadBalancer: {simple: RANDOM}}\n"]] },
  },
};

function sidecar(name: string, spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: ${name}, namespace: default}
spec:
${spec}`;
}

export const SEVERAL_DEFAULT_SIDECARS: CodeDefinition = {
  code: "LAT0320",
  name: "SeveralDefaultSidecars",
  level: "Error",
  meaning: "A namespace has several Sidecar resources without a selector. Only the oldest is in force.",
  remedy: "keep one, or give the others a workloadSelector",
  example: {
    yaml: `${sidecar("default", '  egress: [{hosts: ["./*"]}]\n')}---${sidecar("more", '  egress: [{hosts: ["./*", "istio-system/*"]}]\n')}`,
    repaired: {
      replace: [
        [
          '  egress: [{hosts: ["./*", "istio-system/*"]}]',
          '  workloadSelector: {labels: {app: reviews}}\n  egress: [{hosts: ["./*", "istio-system/*"]}]',
        ],
      ],
    },
  },
};

export const CONFLICTING_SIDECARS: CodeDefinition = {
  code: "LAT0321",
  name: "ConflictingSidecars",
  level: "Error",
  meaning: "Several Sidecar resources with selectors fit one workload. Only the oldest is in force for it.",
  remedy: "make the selectors differ, or join the resources",
  example: {
    yaml: `${sidecar("reviews", '  workloadSelector: {labels: {app: reviews}}\n  egress: [{hosts: ["./*"]}]\n')}---${sidecar("first", '  workloadSelector: {labels: {version: v1}}\n  egress: [{hosts: ["./*"]}]\n')}`,
    registered: [
      "reviews.default 9080/http app=reviews,version=v1",
      "ratings.default 9080/http app=ratings,version=v2",
    ],
    repaired: { replace: [["version: v1", "version: v2"]] },
  },
};

export const SIDECAR_HOST_FITS_NOTHING: CodeDefinition = {
  code: "LAT0322",
  name: "SidecarHostFitsNothing",
  level: "Warning",
  meaning:
    "An egress host of a Sidecar fits no service and no entry. Applications that call it are treated as calling outside of the mesh.",
  remedy: "write namespace/full.host.name, with * for any",
  example: {
    yaml: sidecar("default", '  egress: [{hosts: ["./ratings.default.svc.cluster.local"]}]\n'),
    registered: REVIEWS,
    repaired: { replace: [["./ratings.", "./reviews."]] },
  },
};

function serviceEntry(name: string, spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: default}
spec:
${spec}`;
}

export const PORT_NAME_MISMATCH: CodeDefinition = {
  code: "LAT0330",
  name: "PortNameMismatch",
  level: "Info",
  meaning:
    "The name of a port begins with a protocol (`http-api`), and its protocol is another one. The protocol counts; whoever reads the name is misled.",
  remedy: "let the name begin with the protocol, or name no protocol in it",
  example: {
    yaml: serviceEntry(
      "search",
      "  hosts: [search.example.com]\n  location: MESH_EXTERNAL\n  resolution: DNS\n  ports: [{number: 80, name: grpc-search, protocol: HTTP}]\n",
    ),
    repaired: { replace: [["grpc-search", "http-search"]] },
  },
};

export const SHARED_ENTRY_HOST: CodeDefinition = {
  code: "LAT0331",
  name: "SharedEntryHost",
  level: "Info",
  meaning:
    "Several ServiceEntries or EgressRules of one namespace have one host. They are merged: ports and endpoints of both, the settings of the oldest.",
  remedy: "put everything about one host into one ServiceEntry",
  example: {
    yaml: `${serviceEntry("search", "  hosts: [search.example.com]\n  location: MESH_EXTERNAL\n  resolution: DNS\n  ports: [{number: 80, name: http, protocol: HTTP}]\n")}---${serviceEntry("search-more", "  hosts: [search.example.com]\n  location: MESH_EXTERNAL\n  resolution: DNS\n  ports: [{number: 8080, name: http-alt, protocol: HTTP}]\n")}`,
    repaired: {
      replace: [
        [
          "name: search-more, namespace: default}\nspec:\n  hosts: [search.example.com]",
          "name: search-more, namespace: default}\nspec:\n  hosts: [find.example.com]",
        ],
      ],
    },
  },
};

export const UNUSED_WORKLOAD_ENTRY: CodeDefinition = {
  code: "LAT0332",
  name: "UnusedWorkloadEntry",
  level: "Warning",
  meaning: "No ServiceEntry of its namespace selects a WorkloadEntry, so nothing is ever sent to it.",
  remedy: "correct its labels, or add a ServiceEntry with a workloadSelector that fits them",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-1, namespace: default}
spec:
  address: 10.0.0.9
  labels: {app: legacy}
---${serviceEntry("legacy", "  hosts: [legacy.example.com]\n  location: MESH_INTERNAL\n  resolution: STATIC\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  workloadSelector: {labels: {app: legacy-vm}}\n")}`,
    repaired: { replace: [["app: legacy-vm", "app: legacy"]] },
  },
};

export const ENTRY_WITHOUT_ENDPOINTS: CodeDefinition = {
  code: "LAT0333",
  name: "EntryWithoutEndpoints",
  level: "Warning",
  meaning:
    "A ServiceEntry selects its endpoints by labels, and no WorkloadEntry and no workload of its namespace carries them: requests get 503.",
  remedy: "correct the labels, or add a WorkloadEntry that carries them",
  example: {
    yaml: serviceEntry(
      "legacy",
      "  hosts: [legacy.example.com]\n  location: MESH_INTERNAL\n  resolution: STATIC\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  workloadSelector: {labels: {app: legacy}}\n",
    ),
    registered: REVIEWS,
    repaired: { registered: ["legacy.default 80/http app=legacy"] },
  },
};

export const PORT_NAME_UNKNOWN: CodeDefinition = {
  code: "LAT0334",
  name: "PortNameUnknown",
  level: "Info",
  meaning:
    "The name of a port of a Kubernetes Service does not begin with a protocol, and it has no appProtocol. It is taken for HTTP.",
  remedy: "name the port <protocol> or <protocol>-<anything>, or give appProtocol",
  example: {
    yaml: `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec:
  selector: {app: reviews}
  ports: [{port: 9080, name: web}]
`,
    repaired: { replace: [["name: web", "name: http-web"]] },
  },
};
