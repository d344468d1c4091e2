import { QuotaRules } from "../../services/proxy/policy/quota-rules.ts";
import { type AttributeScalar, compileReader } from "../../services/proxy/stream/attributes.ts";
import { type Peer, RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { AttributeJson, MixerCheckAnswer, Plan } from "../../shared/wire/index.ts";
import type { ChecksExplained, DestinationExplained } from "./explanation.ts";
import type { ExplainedRequest } from "./request.ts";

/** Asks a Mixer for its verdict; undefined where none can be asked. */
export type AskMixer = (attributes: Readonly<Record<string, AttributeJson>>) => Promise<MixerCheckAnswer | undefined>;

/**
 * What the destination's proxy asks before it lets the request in: the attributes that its plan names, read by the
 * proxy's own readers from the request as it would arrive. What only the network knows (addresses, instance) is absent.
 */
export async function explainChecks(
  plan: Plan | undefined,
  request: ExplainedRequest,
  destination: DestinationExplained,
  ask: AskMixer | undefined,
): Promise<ChecksExplained | undefined> {
  if (plan === undefined) return undefined;
  const { check } = plan;
  if (check === null || check === undefined)
    return { asked: false, failOpen: false, attributes: [], quotas: [], rules: [] };
  const record = recordOf(request, destination);
  const quotas = new QuotaRules(plan.quotas).requestsFor((reference) => compileReader(reference)(record));
  const verdict = await ask?.(attributesOf(check.attributes, record));
  return {
    asked: true,
    failOpen: check.failOpen,
    attributes: check.attributes,
    quotas: quotas.map(({ quota, amount }) => ({ quota: quota ?? "", charge: amount ?? 0 })),
    rules:
      verdict?.rules.filter(({ applies }) => applies).map(({ namespace, name }) => `rule/${namespace}/${name}`) ?? [],
    ...(verdict && {
      verdict: {
        allowed: verdict.code === 0,
        status: verdict.status,
        httpStatus: verdict.code === 0 ? 0 : verdict.httpStatus,
        message: verdict.message,
      },
    }),
  };
}

function recordOf(
  { head, caller, identity, workload }: ExplainedRequest,
  destination: DestinationExplained,
): RequestRecord {
  const [endpoint] = destination.endpoints ?? [];
  const { namespace, service, host, port, labels } = destination;
  const to: Peer = {
    ...UNKNOWN_PEER,
    namespace,
    service,
    host,
    port,
    labels: endpoint?.labels ?? labels,
    principal: endpoint?.principal ?? "",
    workload: endpoint?.workload ?? "",
    instance: endpoint?.instance ?? "",
  };
  const from: Peer = {
    ...UNKNOWN_PEER,
    ...caller,
    workload,
    // Only a certificate tells who it is.
    principal: destination.transport === "mutual TLS" ? identity : "",
    host: caller.service && `${caller.service}.${caller.namespace}.svc.cluster.local`,
  };
  return new RequestRecord("inbound", head, from, to, destination.transport === "mutual TLS");
}

function attributesOf(references: readonly string[], record: RequestRecord): Record<string, AttributeJson> {
  const always = ["destination.service", "destination.namespace", "context.protocol", "context.reporter.kind"];
  const attributes: Record<string, AttributeJson> = {};
  for (const reference of new Set([...references, ...always])) {
    const value = compileReader(reference)(record);
    if (value !== undefined) attributes[reference] = jsonOf(reference, value);
  }
  return attributes;
}

function jsonOf(reference: string, value: AttributeScalar): AttributeJson {
  if (value instanceof Uint8Array) return [...value].join(".");
  return typeof value === "number" && reference.endsWith(".time") ? new Date(value).toISOString() : value;
}
