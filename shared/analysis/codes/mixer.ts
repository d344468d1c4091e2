import type { CodeDefinition } from "../code.ts";

const DENIER = `
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: refuse, namespace: istio-system}
spec: {status: {code: 7}}
`;

const NOTHING = `---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: nothing, namespace: istio-system}
spec: {}
`;

function rule(spec: string): string {
  return `---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny, namespace: istio-system}
spec:
${spec}`;
}

const ACTIONS = "  actions: [{handler: refuse.denier, instances: [nothing.checknothing]}]\n";

export const UNUSED_HANDLER: CodeDefinition = {
  code: "LAT0501",
  name: "UnusedHandler",
  level: "Info",
  meaning: "No rule names a handler, so it never gets anything.",
  remedy: "name it in a rule, or delete it",
  example: { yaml: DENIER, repaired: { replace: [[DENIER, `${DENIER}${NOTHING}${rule(ACTIONS)}`]] } },
};

export const UNUSED_INSTANCE: CodeDefinition = {
  code: "LAT0502",
  name: "UnusedInstance",
  level: "Info",
  meaning: "No rule names an instance, so it is never made.",
  remedy: "name it in a rule, or delete it",
  example: {
    yaml: NOTHING.slice(3),
    repaired: { replace: [["spec: {}\n", `spec: {}\n---${DENIER}${rule(ACTIONS)}`]] },
  },
};

export const RULE_WITHOUT_EFFECT: CodeDefinition = {
  code: "LAT0503",
  name: "RuleWithoutEffect",
  level: "Warning",
  meaning:
    "A rule of Mixer has no actions, or a condition that can never be true: the constant false, or one attribute equal to two different values.",
  remedy: "give it actions, correct the condition, or delete the rule",
  example: {
    yaml: `${DENIER}${NOTHING}${rule(`  match: destination.namespace == "default" && destination.namespace == "prod"\n${ACTIONS}`)}`,
    repaired: { replace: [[' && destination.namespace == "prod"', ""]] },
  },
};

export const RULE_OUT_OF_SCOPE: CodeDefinition = {
  code: "LAT0504",
  name: "RuleOutOfScope",
  level: "Warning",
  meaning:
    "A rule of Mixer asks for a destination outside of its own namespace. Only rules of istio-system are for the whole mesh; others see only what is sent to services of their namespace.",
  remedy: "put the rule into istio-system or into the namespace of the destination",
  example: {
    yaml: `${DENIER}${NOTHING}${rule(`  match: destination.service == "ratings.default.svc.cluster.local"\n  actions: [{handler: refuse.denier.istio-system, instances: [nothing.checknothing.istio-system]}]\n`).replace("{name: deny, namespace: istio-system}", "{name: deny, namespace: prod}")}`,
    repaired: { replace: [["{name: deny, namespace: prod}", "{name: deny, namespace: default}"]] },
  },
};

export const RULE_FOR_UNKNOWN_SERVICE: CodeDefinition = {
  code: "LAT0505",
  name: "RuleForUnknownService",
  level: "Warning",
  meaning:
    "A rule of Mixer asks for a destination service that is not registered. destination.service is the full name of the service.",
  remedy: "write the full name: name.namespace.svc.cluster.local",
  example: {
    yaml: `${DENIER}${NOTHING}${rule(`  match: destination.service == "ratings"\n${ACTIONS}`)}`,
    registered: ["ratings.default 9080/http"],
    repaired: { replace: [['"ratings"', '"ratings.default.svc.cluster.local"']] },
  },
};

export const WRONG_INSTANCE: CodeDefinition = {
  code: "LAT0506",
  name: "WrongInstance",
  level: "Error",
  meaning:
    "A rule sends an instance to a handler that does not take it: one of another kind, or a quota or metric for which the handler has no limit or definition.",
  remedy: "send it to a handler that takes it, or add it to the handler",
  example: {
    yaml: `
apiVersion: config.istio.io/v1alpha2
kind: memquota
metadata: {name: limits, namespace: istio-system}
spec:
  quotas: [{name: requests.quota.istio-system, maxAmount: 100, validDuration: 1s}]
---
apiVersion: config.istio.io/v1alpha2
kind: quota
metadata: {name: request-count, namespace: istio-system}
spec: {dimensions: {destination: destination.service | "unknown"}}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: limits, namespace: istio-system}
spec:
  actions: [{handler: limits.memquota, instances: [request-count.quota]}]
`,
    repaired: { replace: [["name: requests.quota.istio-system", "name: request-count.quota.istio-system"]] },
  },
};

const QUOTA_SPEC = `
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata: {name: request-count, namespace: default}
spec:
  rules: [{quotas: [{quota: requests, charge: 1}]}]
`;

const BINDING = `---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {name: request-count, namespace: default}
spec:
  services: [{name: reviews}]
  quotaSpecs: [{name: request-count}]
`;

export const UNBOUND_QUOTA_SPEC: CodeDefinition = {
  code: "LAT0507",
  name: "UnboundQuotaSpec",
  level: "Warning",
  meaning: "No QuotaSpecBinding names a QuotaSpec, so it charges nobody.",
  remedy: "add a QuotaSpecBinding that names it and the services",
  example: { yaml: QUOTA_SPEC, repaired: { replace: [["charge: 1}]}]\n", `charge: 1}]}]\n${BINDING}`]] } },
};

const LIMITS = `---
apiVersion: config.istio.io/v1alpha2
kind: memquota
metadata: {name: limits, namespace: istio-system}
spec:
  quotas: [{name: requests.quota.istio-system, maxAmount: 100, validDuration: 1s}]
---
apiVersion: config.istio.io/v1alpha2
kind: quota
metadata: {name: requests, namespace: istio-system}
spec: {dimensions: {destination: destination.service | "unknown"}}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: limits, namespace: istio-system}
spec:
  actions: [{handler: limits.memquota, instances: [requests.quota]}]
`;

export const QUOTA_WITHOUT_RULE: CodeDefinition = {
  code: "LAT0508",
  name: "QuotaWithoutRule",
  level: "Warning",
  meaning:
    "A QuotaSpecBinding charges the requests of a service, and no rule for that service sends a quota instance to a handler: every charge is granted.",
  remedy: "add a rule with a memquota or redisquota handler, in istio-system or in the namespace of the service",
  example: {
    yaml: `${QUOTA_SPEC}${BINDING}`,
    repaired: { replace: [["charge: 1}]}]\n", `charge: 1}]}]\n${LIMITS}`]] },
  },
};

export const QUOTA_WITHOUT_BINDING: CodeDefinition = {
  code: "LAT0509",
  name: "QuotaWithoutBinding",
  level: "Warning",
  meaning:
    "A rule sends a quota instance to a handler, and no QuotaSpecBinding charges any service: the quota is never asked for.",
  remedy: "add a QuotaSpec, and a QuotaSpecBinding that names the services",
  example: {
    yaml: LIMITS.slice(3),
    repaired: {
      replace: [["instances: [requests.quota]}]\n", `instances: [requests.quota]}]\n---${QUOTA_SPEC}${BINDING}`]],
    },
  },
};
