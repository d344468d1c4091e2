import type { CodeDefinition } from "../code.ts";

export const INVALID_RESOURCE: CodeDefinition = {
  code: "LAT0001",
  name: "InvalidResource",
  level: "Error",
  meaning:
    "The document breaks a rule of its kind's schema, so the mesh refuses it and whatever was applied before stays in force. Other checks leave it out.",
  remedy: "mend the field as the message says",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - timeout: soon
    route:
    - destination: {host: reviews}
`,
    repaired: { replace: [["timeout: soon", "timeout: 2s"]] },
  },
};

export const DOUBTFUL_FIELD: CodeDefinition = {
  code: "LAT0002",
  name: "DoubtfulField",
  level: "Warning",
  meaning:
    "The document is accepted, but its schema knows that a field does not do what it seems to, and no more special code says so.",
  remedy: "see the message; often the field can simply go",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - fault: {delay: {fixedDelay: 2s, percentage: {value: 0}}}
    route:
    - destination: {host: reviews}
`,
    repaired: { replace: [["percentage: {value: 0}", "percentage: {value: 10}"]] },
  },
};

export const DUPLICATE_RESOURCE: CodeDefinition = {
  code: "LAT0003",
  name: "DuplicateResource",
  level: "Error",
  meaning:
    "Two documents of what is analysed have one kind, namespace and name. Applied, the later one would replace the earlier one.",
  remedy: "give one of them another name, or delete it",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews
  trafficPolicy: {loadBalancer: {simple: RANDOM}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: ratings
  trafficPolicy: {loadBalancer: {simple: RANDOM}}
`,
    repaired: {
      replace: [
        [
          "{name: reviews, namespace: default}\nspec:\n  host: ratings",
          "{name: ratings, namespace: default}\nspec:\n  host: ratings",
        ],
      ],
    },
  },
};
