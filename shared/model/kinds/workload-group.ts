import { defineKind } from "../define-kind.ts";
import { NETWORKING_API_VERSIONS } from "../resource.ts";
import { string, text } from "../scalars.ts";
import { checked, field, list, map, object, oneOf, type Schema } from "../schema.ts";
import type { WorkloadGroupSpec, WorkloadProbeSpec } from "../specs-networking.ts";
import { count, port, workloadLabels } from "./networking.ts";
import { workloadTemplate } from "./workload-entry.ts";

const OWN_HOST = "remove the field: an instance is asked at its own address";
const header = object({
  name: field(
    checked(text("the header's name"), (name, at) =>
      /^[-A-Za-z0-9]+$/.test(name)
        ? name
        : at.error(`${JSON.stringify(name)} is not a header name`, "use letters, digits and dashes"),
    ),
    "Name of the header.",
    { required: true },
  ),
  value: field(string(), "Its value."),
});

const path = checked(
  string(),
  (given, at) =>
    given === "" || /^\/[\x21-\x7e]*$/.test(given)
      ? given
      : at.error(`${JSON.stringify(given)} is not a path`, "start it with / and escape other characters as %XX"),
  { format: "path" },
);

const httpGet = object({
  path: field(path, "What to ask for.", { default: "/" }),
  port: field(port(), "Where to ask.", { required: true }),
  host: field(string(), "Whom to ask.", { unsupported: { remedy: OWN_HOST, harmless: [""] } }),
  scheme: field(
    checked(string(), (given, at) => {
      if (!["", "HTTP", "HTTPS"].includes(given)) return at.error("must be HTTP or HTTPS", "write HTTP");
      if (given === "HTTPS") at.refuse("use tcpSocket: instances are asked in plain text");
      return given;
    }),
    "HTTP.",
    { default: "HTTP" },
  ),
  httpHeaders: field(list(header), "Headers to send.", {
    unsupported: { remedy: "remove the field: let the path be answered without them" },
  }),
});

const tcpSocket = object({
  host: field(string(), "Whom to ask.", { unsupported: { remedy: OWN_HOST, harmless: [""] } }),
  port: field(port(), "Where to connect.", { required: true }),
});

const exec = object({
  command: field(list(string(), { atLeastOne: "word" }), "Command to run at the instance.", { required: true }),
});

const grpc = object({
  port: field(port(), "Where to ask.", { required: true }),
  service: field(string(), "What to ask about.", { default: "the server as a whole" }),
});

const METHODS = ["httpGet", "tcpSocket", "exec", "grpc"] as const;

const probe: Schema<WorkloadProbeSpec> = checked(
  object(
    {
      initialDelaySeconds: field(count(), "Seconds before the first question.", {
        unsupported: { remedy: "remove the field: an instance counts as ready when it first says so", harmless: [0] },
      }),
      timeoutSeconds: field(count(), "Seconds that an answer may take.", { default: "1" }),
      periodSeconds: field(count(), "Seconds between questions.", { default: "10" }),
      successThreshold: field(count(), "Good answers in a row after which an instance is ready again.", {
        default: "1",
      }),
      failureThreshold: field(count(), "Bad answers in a row after which it is not.", { default: "3" }),
      httpGet: field(httpGet, "Asks over HTTP; 200 to 399 is good."),
      tcpSocket: field(tcpSocket, "Connects."),
      exec: field(exec, "Runs a command.", { unsupported: { remedy: "use httpGet, tcpSocket or grpc" } }),
      grpc: field(grpc, "Asks grpc.health.v1."),
    },
    [oneOf(...METHODS)],
  ),
  (value, at): WorkloadProbeSpec => {
    if (!METHODS.some((name) => at.has(name)) && at.clean())
      at.error("asks nothing", "give httpGet, tcpSocket or grpc");
    const kind = value.grpc !== undefined ? "grpc" : value.tcpSocket !== undefined ? "tcp" : "http";
    return {
      kind,
      port: (value.httpGet ?? value.tcpSocket ?? value.grpc)?.port ?? 0,
      path: kind === "grpc" ? (value.grpc?.service ?? "") : value.httpGet?.path || "/",
      periodMs: (value.periodSeconds || 10) * 1000,
      timeoutMs: (value.timeoutSeconds || 1) * 1000,
      successThreshold: value.successThreshold || 1,
      failureThreshold: value.failureThreshold || 3,
    };
  },
);

const metadata = object({
  labels: field(workloadLabels(), "Labels of the entries."),
  annotations: field(map(string()), "Notes of the entries, for people."),
});

/** WorkloadGroup: what instances outside have in common. */
export const WORKLOAD_GROUP = defineKind<WorkloadGroupSpec>({
  kind: "WorkloadGroup",
  plural: "workloadgroups",
  shortNames: ["wg"],
  apiVersions: NETWORKING_API_VERSIONS,
  class: "traffic",
  doc: "What a group of machines has in common: labels, ports, and how their health is asked. `lateen workload configure` makes the settings of their proxies of it.",
  schema: checked(
    object({
      metadata: field(metadata, "Labels and notes of the entries made from it."),
      template: field(workloadTemplate, "What the entries have in common.", { required: true }),
      probe: field(probe, "How an instance is asked whether it is ready.", { default: "not at all" }),
    }),
    (value): WorkloadGroupSpec => ({
      labels: value.metadata?.labels ?? {},
      annotations: value.metadata?.annotations ?? {},
      template: value.template ?? {
        address: "",
        ports: {},
        labels: {},
        network: "",
        locality: "",
        weight: 0,
        serviceAccount: "",
      },
      probe: value.probe,
    }),
  ),
});
