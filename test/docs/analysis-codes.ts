import { ALL_CODES, type CodeDefinition, type Example, GROUPS, type LiveState } from "../../shared/analysis/index.ts";
import { code, table } from "./sections.ts";

/** The made sections of docs/analysis.md: a table of all codes, and each group's codes with their examples. */
export function renderAnalysisCodes(): ReadonlyMap<string, string> {
  const groups = Object.entries(GROUPS).map(([digits, title]): [string, string] => {
    const codes = ALL_CODES.filter((each) => each.code.slice(3, 5) === digits);
    return [`codes ${digits}`, `\n## ${title}\n\n${codes.map(renderCode).join("\n")}\n`];
  });
  const rows = ALL_CODES.map((each) => [
    `[${each.code}](#${each.code.toLowerCase()}-${each.name.toLowerCase()})`,
    each.level,
    each.name,
  ]);
  return new Map([["all codes", table(["code", "level", "name"], rows)], ...groups]);
}

function renderCode({ code: number, name, level, meaning, remedy, example }: CodeDefinition): string {
  const parts = [`### ${number} ${name}\n`, `*${level}.* ${meaning}\n`, renderExample(example), `Remedy: ${remedy}.\n`];
  return parts.filter((part) => part !== "").join("\n");
}

function renderExample({ yaml, registered, live }: Example): string {
  const parts: string[] = [];
  if (yaml !== undefined) parts.push(`\`\`\`yaml\n${yaml.trim()}\n\`\`\`\n`);
  if (registered !== undefined) parts.push(`Registered: ${registered.map(code).join(", ")}.\n`);
  if (live !== undefined) parts.push(`Seen, for instance, when ${liveText(live)}.\n`);
  return parts.join("\n");
}

/** What of a running mesh is there to see, in words. */
function liveText({ proxies, certificates, components, pending }: LiveState): string {
  const [certificate] = certificates;
  const texts = [
    ...pending.map(({ key, reason }) => `${key.kind} ${key.namespace}/${key.name} waits because ${reason}`),
    ...proxies.flatMap(({ instance, version, stale, rejected }) => [
      ...stale.map((key) => `proxy ${instance} is behind with ${code(key)}`),
      ...rejected.map(({ key, reason }) => `proxy ${instance} refuses ${code(key)} (${reason})`),
      ...(components.length > 0 ? [`proxy ${instance} is ${version}`] : []),
    ]),
    ...components.map(({ name, version }) => `${name} is ${version}`),
    ...(certificate === undefined ? [] : [certificateText(certificate)]),
  ];
  return texts.join(" and ");
}

function certificateText({ instance, validFromMs, expiresMs }: LiveState["certificates"][number]): string {
  const day = (ms: number): string => new Date(ms).toISOString();
  return `the certificate of ${instance} is good from ${day(validFromMs)} to ${day(expiresMs)} and it is 2030-01-01`;
}
