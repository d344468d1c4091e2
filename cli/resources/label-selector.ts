import { InvalidArgumentError } from "commander";

/** Whether labels fit a selector. */
export type LabelSelector = (labels: Readonly<Record<string, string>>) => boolean;

const KEY = "[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?";
const EQUALITY = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*([A-Za-z0-9._-]*)$`);
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const PRESENCE = new RegExp(`^(!?)\\s*(${KEY})$`);

/**
 * Kubernetes' label selectors: `a=b`, `a!=b`, `a in (x,y)`, `a notin (x)`, `a`, `!a`, all joined by commas. As there, `!=` and
 * `notin` also hold where there is no such label. Throws commander's InvalidArgumentError.
 */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = splitOutsideBrackets(text).map(parseRequirement);
  return (labels) => requirements.every((holds) => holds(labels));
}

function parseRequirement(text: string): LabelSelector {
  const [, equalKey, operator, value = ""] = EQUALITY.exec(text) ?? [];
  if (equalKey !== undefined)
    return operator === "!=" ? (labels) => labels[equalKey] !== value : (labels) => labels[equalKey] === value;
  const [, setKey, word, list = ""] = SET.exec(text) ?? [];
  if (setKey !== undefined) {
    const values = new Set(list.split(",").map((item) => item.trim()));
    const isIn: LabelSelector = (labels) => labels[setKey] !== undefined && values.has(labels[setKey]);
    return word === "in" ? isIn : (labels) => !isIn(labels);
  }
  const [, not, key] = PRESENCE.exec(text) ?? [];
  if (key !== undefined) return (labels) => (labels[key] !== undefined) === (not === "");
  throw new InvalidArgumentError(
    `${JSON.stringify(text)} is no label selector; write app=web, app!=web, 'app in (web,api)', app or !app, joined by commas`,
  );
}

function splitOutsideBrackets(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const char of text) {
    if (char === "(") depth++;
    if (char === ")") depth--;
    if (char === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim());
}
