import { CONFIGURATION_STEPS } from "./configuration.ts";
import { LIFECYCLE_STEPS } from "./lifecycle.ts";
import { NETWORKING_STEPS } from "./networking.ts";
import { POLICY_STEPS } from "./policy.ts";
import { ROUTING_STEPS } from "./routing.ts";
import { SECURITY_STEPS } from "./security.ts";
import type { TourContext, TourStep } from "./step.ts";
import { TELEMETRY_STEPS } from "./telemetry.ts";

/** In the order in which they run. */
export const STEPS: readonly TourStep[] = [
  ...ROUTING_STEPS,
  ...NETWORKING_STEPS,
  ...CONFIGURATION_STEPS,
  ...POLICY_STEPS,
  ...TELEMETRY_STEPS,
  ...SECURITY_STEPS,
  ...LIFECYCLE_STEPS,
];

/** Runs the chosen steps (default: all), one line each; resolves to how many failed. */
export async function runTour(
  context: TourContext,
  print: (line: string) => void,
  only: readonly number[] = [],
): Promise<number> {
  let failed = 0;
  for (const [index, step] of STEPS.entries()) {
    const number = index + 1;
    if (only.length > 0 && !only.includes(number)) continue;
    const started = performance.now();
    let outcome: string;
    let holds = true;
    try {
      outcome = await step.run(context);
    } catch (error) {
      holds = false;
      outcome = describe(error);
    }
    try {
      await context.mesh.removeApplied();
    } catch (error) {
      holds = false;
      outcome += `; its rules could not be removed: ${describe(error)}`;
    }
    if (!holds) failed++;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    print(`${holds ? "ok    " : "FAILED"} ${String(number).padStart(2)}. ${step.title}: ${outcome} (${seconds} s)`);
  }
  return failed;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${describe(error.cause)})`;
}
