import type { CodeDefinition } from "../code.ts";

export const DEPRECATED_FIELD: CodeDefinition = {
  code: "LAT0901",
  name: "DeprecatedField",
  level: "Warning",
  meaning: "A field still acts, and another has taken its place.",
  remedy: "write the newer field",
  example: {
    yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - mirror: {host: reviews}
    mirrorPercent: 10
    route: [{destination: {host: reviews}}]
`,
    repaired: { replace: [["mirrorPercent: 10", "mirrorPercentage: {value: 10}"]] },
  },
};

export const DEPRECATED_KIND: CodeDefinition = {
  code: "LAT0902",
  name: "OlderDialect",
  level: "Info",
  meaning: "A kind of Istio 0.x, which a newer kind has replaced. It goes on being in force.",
  remedy: "write the newer kind, when there is time",
  example: {
    yaml: `
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: reviews, namespace: default}
spec:
  destination: {name: reviews}
  route: [{labels: {version: v1}}]
`,
    repaired: {
      replace: [
        [
          "apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: reviews, namespace: default}\nspec:\n  destination: {name: reviews}\n  route: [{labels: {version: v1}}]\n",
          "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews, namespace: default}\nspec:\n  hosts: [reviews]\n  http: [{route: [{destination: {host: reviews}}]}]\n",
        ],
      ],
    },
  },
};
