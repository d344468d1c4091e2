import { checked, field, object, type Schema } from "../schema.ts";
import type { DestinationSpec } from "../specs-networking.ts";
import { hostRef, portSelector, subsetName } from "./networking.ts";

export const NO_DESTINATION: DestinationSpec = { host: { host: "", service: undefined }, subset: "", port: 0 };

/** Where a route sends requests: a service, a subset of it, a port. */
export const destination: Schema<DestinationSpec> = checked(
  object({
    host: field(hostRef({}), "The service: a registered one, or the host of a ServiceEntry.", { required: true }),
    subset: field(subsetName(), "A subset that a DestinationRule defines.", { default: "the service as a whole" }),
    port: field(portSelector(), "The service's port.", { default: "the port that was called, or the only one" }),
  }),
  ({ host, subset, port }): DestinationSpec => ({
    host: host ?? NO_DESTINATION.host,
    subset: subset ?? "",
    port: port ?? 0,
  }),
);
