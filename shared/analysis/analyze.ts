import { formatKey } from "../model/index.ts";
import { checkDestinationRules } from "./checks/destination-rules.ts";
import { checkEntries } from "./checks/entries.ts";
import { checkGateways } from "./checks/gateways.ts";
import { checkHosts } from "./checks/hosts.ts";
import { checkMixer } from "./checks/mixer.ts";
import { checkOrder } from "./checks/order.ts";
import { checkPolicyReferences } from "./checks/policy-references.ts";
import { checkRouteReferences } from "./checks/route-references.ts";
import { checkRunning } from "./checks/running.ts";
import { checkValidity } from "./checks/validity.ts";
import { checkValues } from "./checks/values.ts";
import { LEVELS } from "./code.ts";
import { DOUBTFUL_FIELD } from "./codes/validity.ts";
import { MeshIndex } from "./mesh-index.ts";
import { type Message, Report } from "./message.ts";
import type { World } from "./world.ts";

/*
 * A schema judges one document; analysis judges what documents mean to each other and to what runs. It is pure: the
 * same world gives the same messages. Every check looks things up in one shared index and goes once through the
 * resources of its kinds, so that ten thousand of them take a second or so.
 *
 * A check says nothing where it cannot know. Without services nothing is said about hosts that could be services;
 * where two conditions cannot be compared, neither is called unreachable. A false alarm costs more than a missed one:
 * people stop reading.
 */
const CHECKS: readonly ((index: MeshIndex, report: Report) => void)[] = [
  checkRouteReferences,
  checkPolicyReferences,
  checkHosts,
  checkOrder,
  checkValues,
  checkDestinationRules,
  checkEntries,
  checkGateways,
  checkMixer,
  checkRunning,
];

/** Everything there is to say, worst first. */
export function analyze(world: World): readonly Message[] {
  const origins = new Map<string, string>();
  for (const { key, origin } of world.resources) if (origin !== undefined) origins.set(formatKey(key), origin);
  const report = new Report(origins);
  const resources = checkValidity(world.resources, report);
  const index = new MeshIndex({ ...world, resources });
  for (const check of CHECKS) check(index, report);
  return withoutRepetition(report.messages).sort(
    (a, b) =>
      LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level) ||
      compare(formatKey(a.object), formatKey(b.object)) ||
      compare(a.code, b.code) ||
      compare(a.path, b.path),
  );
}

/** A warning of the schema goes where a check says the same of the same field with more knowledge. */
function withoutRepetition(messages: readonly Message[]): Message[] {
  const placeOf = ({ object, path }: Message): string => `${formatKey(object)} ${path}`;
  const told = new Set(messages.filter(({ code }) => code !== DOUBTFUL_FIELD.code).map(placeOf));
  return messages.filter((message) => message.code !== DOUBTFUL_FIELD.code || !told.has(placeOf(message)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
