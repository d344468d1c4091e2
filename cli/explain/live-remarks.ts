import { splitAuthority } from "../../services/proxy/route/authority.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { closest, resolveHost } from "../../shared/model/index.ts";
import { listRegistry } from "../registry-client.ts";
import type { Explanation } from "./explanation.ts";
import type { ExplainedRequest } from "./request.ts";
import { unlessSilent } from "./silence.ts";

/** What a running mesh has to say to an explanation, beside it: that a name was probably misspelled, who did not answer. */
export async function liveRemarks(explanation: Explanation, request: ExplainedRequest, bus: Bus): Promise<string[]> {
  const { checks, service, rule } = explanation;
  const remarks: string[] = [];
  if (service === undefined && (rule === "passthrough" || rule === "") && request.gateway === undefined) {
    const { host } = splitAuthority(request.head.authority);
    const wanted = resolveHost(host, request.caller.namespace);
    // A host of several parts is most likely one of the Internet.
    if (wanted !== undefined && (!host.includes(".") || host.includes(".svc"))) {
      const services = (await listRegistry(bus, { namespace: wanted.namespace }).catch(unlessSilent)) ?? [];
      const meant = closest(
        wanted.service,
        services.map(({ name }) => name),
      );
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      remarks.push(`no service ${wanted.service} of namespace ${wanted.namespace} is registered${hint}`);
    }
  }
  if (checks?.asked === true && checks.verdict === undefined)
    remarks.push("no Mixer has answered: what the checks would say is not known");
  return remarks;
}
