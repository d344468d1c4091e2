import { defineKind } from "../define-kind.ts";
import { dnsLabel, string } from "../scalars.ts";
import { checked, field, list, object } from "../schema.ts";
import type { QuotaSpecBindingSpec } from "../specs.ts";
import { istioService } from "./common.ts";

const reference = checked(
  object({
    name: field(
      checked(string(), (name, at) => (name === "" ? at.error("is empty", "name a QuotaSpec") : name)),
      "Name of the QuotaSpec.",
      { required: true },
    ),
    namespace: field(dnsLabel(), "Its namespace.", { default: "the one of the binding" }),
  }),
  ({ name = "", namespace }, at) => ({ name, namespace: namespace ?? at.context.namespace }),
);

const schema = object({
  services: field(list(istioService()), "The services whose requests are charged.", { required: true }),
  quotaSpecs: field(list(reference), "The QuotaSpecs by which they are charged.", { required: true }),
});

/** QuotaSpecBinding: which services a QuotaSpec is for. */
export const QUOTA_SPEC_BINDING = defineKind<QuotaSpecBindingSpec>({
  kind: "QuotaSpecBinding",
  plural: "quotaspecbindings",
  class: "quota-binding",
  doc: "Puts QuotaSpecs into force for services.",
  schema: checked(schema, ({ services, quotaSpecs }, at) => {
    if (services?.length === 0 && at.clean("services")) at.errorOf("services", "is empty", "name at least one service");
    if (quotaSpecs?.length === 0 && at.clean("quotaSpecs"))
      at.errorOf("quotaSpecs", "is empty", "name at least one QuotaSpec");
    return { services: services ?? [], quotaSpecs: quotaSpecs ?? [] };
  }),
});
