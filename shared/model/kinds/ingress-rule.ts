import { defineKind } from "../define-kind.ts";
import { int32, string } from "../scalars.ts";
import { checked, field, object, oneOf } from "../schema.ts";
import type { IngressRuleSpec } from "../specs.ts";
import { LATER, matchCondition, wholeService } from "./common.ts";

const schema = object(
  {
    port: field(int32({ min: 0, max: 65_535 }), "The gateway's port.", { default: "80" }),
    tlsSecret: field(string(), "Name of the certificate to serve.", { unsupported: { remedy: LATER, harmless: [""] } }),
    precedence: field(int32(), "Rules with higher precedence are tried first.", { default: "0" }),
    match: field(matchCondition(), "Which requests.", { default: "all" }),
    destination: field(wholeService(), "The service that they go to, routed by its own rules.", {
      required: true,
    }),
    destinationPort: field(int32({ min: 1, max: 65_535 }), "Port of the service.", { default: "80, or its only one" }),
    destinationPortName: field(string(), "Port of the service by name: a protocol, or a protocol and a dash and more."),
  },
  [oneOf("destinationPort", "destinationPortName")],
);

/** IngressRule: what the gateway lets in, and where it goes. */
export const INGRESS_RULE = defineKind<IngressRuleSpec>({
  kind: "IngressRule",
  plural: "ingressrules",
  class: "traffic",
  doc: "Lets requests from outside in through the gateway, to one service.",
  schema: checked(schema, (value) => ({
    port: value.port ?? 0,
    tlsSecret: value.tlsSecret ?? "",
    precedence: value.precedence ?? 0,
    match: value.match,
    destination: value.destination ?? { host: "", service: undefined, labels: {} },
    destinationPort: value.destinationPort,
    destinationPortName: value.destinationPortName,
  })),
});
