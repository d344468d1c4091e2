import type { Bus } from "../../shared/bus/index.ts";
import type {
  ExplainedRule,
  MixerCheckAnswer,
  MixerCheckRequest,
  MixerReportAnswer,
  MixerReportRequest,
} from "../../shared/wire/index.ts";
import type { Palette } from "../render.ts";

const TIMEOUT_MS = 5_000;

export async function mixerCheck(bus: Bus, request: MixerCheckRequest): Promise<MixerCheckAnswer> {
  const answer = await bus.requestJson(bus.subjects.mixerCheck(), request, { timeoutMs: TIMEOUT_MS });
  return answer as MixerCheckAnswer;
}

export async function mixerReport(bus: Bus, request: MixerReportRequest): Promise<MixerReportAnswer> {
  const answer = await bus.requestJson(bus.subjects.mixerReport(), request, { timeoutMs: TIMEOUT_MS });
  return answer as MixerReportAnswer;
}

/** Every rule that was looked at, with what its handlers say. */
export function renderRules(rules: readonly ExplainedRule[], colours: Palette): string[] {
  return rules.flatMap(({ namespace, name, revision, applies, why, actions }) => {
    const head = `  rule ${namespace}/${name} (revision ${revision}): ${applies ? "applies" : why}`;
    const lines = actions.map(({ handler, instance, variety, status, message }) => {
      if (variety === "QUOTA") return `    ${handler} counts ${instance}`;
      if (variety === "REPORT") return `    ${handler} takes ${instance}`;
      const said = message === undefined || message === "" ? "" : `: ${message}`;
      return `    ${handler} says ${status === "OK" ? colours.good("OK") : colours.bad(status ?? "")} to ${instance}${said}`;
    });
    return [applies ? head : colours.dim(head), ...lines];
  });
}
