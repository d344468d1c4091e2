import type { LiveState } from "./world.ts";

/** How bad it is: an Error does not do what it says, a Warning does not do all of it or surprises, an Info can be better. */
export const LEVELS = ["Info", "Warning", "Error"] as const;
export type Level = (typeof LEVELS)[number];

/** Configuration that triggers a code, and what mends it. Shown on the page of codes, and run by a test. */
export interface Example {
  /** Documents, as somebody would write them. */
  readonly yaml?: string;
  /** Instances that are registered, as `parseRegistered` reads them; absent: nothing is known of services. */
  readonly registered?: readonly string[];
  /** What is known of a running mesh. */
  readonly live?: LiveState;
  /** The same with the remedy carried out: texts of `yaml` and what they become, or the registered instances, or the state. */
  readonly repaired: {
    readonly replace?: readonly (readonly [from: string, to: string])[];
    readonly registered?: readonly string[];
    readonly live?: LiveState;
  };
}

export interface CodeDefinition {
  /** `LAT` and four digits; the first two are its group. Never used for anything else once it has been published. */
  readonly code: string;
  /** In CamelCase, for people. */
  readonly name: string;
  readonly level: Level;
  /** What it means and why it matters, in sentences. */
  readonly meaning: string;
  /** What to do about it, as an order. */
  readonly remedy: string;
  readonly example: Example;
}

/** By the first two digits of a code. */
export const GROUPS: Readonly<Record<string, string>> = {
  "00": "Validity",
  "01": "References",
  "02": "Routing",
  "03": "Policies and service entries",
  "04": "Gateways",
  "05": "Mixer",
  "06": "The running mesh",
  "09": "Deprecations",
};

/** The page that explains all codes, below the root of the project. */
export const CODES_PAGE = "docs/analysis.md";

/** Where a code is explained. */
export function codeLink({ code, name }: CodeDefinition): string {
  return `${CODES_PAGE}#${code.toLowerCase()}-${name.toLowerCase()}`;
}

/** Whether a level is as bad as the threshold, or worse. */
export function isAtLeast(level: Level, threshold: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(threshold);
}
