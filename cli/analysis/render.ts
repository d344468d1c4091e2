import { stringify } from "yaml";
import { ALL_CODES, codeLink, type Level, type Message } from "../../shared/analysis/index.ts";
import { type Palette, renderTable } from "../render.ts";

export const FORMATS = ["log", "table", "json", "yaml"] as const;
export type MessageFormat = (typeof FORMATS)[number];

/** The messages; "" when there is nothing to show in a format for people. */
export function renderMessages(messages: readonly Message[], format: MessageFormat, colours: Palette): string {
  switch (format) {
    case "json":
      return JSON.stringify(messages, undefined, 2);
    case "yaml":
      return stringify(messages, { lineWidth: 0 }).trimEnd();
    case "table":
      return messages.length === 0
        ? ""
        : renderTable(
            ["LEVEL", "CODE", "OBJECT", "PATH", "MESSAGE"],
            messages.map((each) => [each.level, each.code, objectName(each), each.path, each.message]),
          );
    case "log":
      return messages.map((message) => logLines(message, colours)).join("\n");
  }
}

function logLines(message: Message, colours: Palette): string {
  const { level, code, path, remedy, documentation, origin } = message;
  const where = origin === undefined ? "" : ` in ${origin}`;
  const at = path === "" ? "" : `${path}: `;
  return `${paint(level, colours)} [${code}] (${objectName(message)}${where}) ${at}${message.message}\n    ${remedy} ${colours.dim(`(${documentation})`)}`;
}

function objectName({ object: { kind, namespace, name } }: Message): string {
  return `${kind} ${name}${namespace === "" ? "" : `.${namespace}`}`;
}

function paint(level: Level, colours: Palette): string {
  return level === "Error" ? colours.bad(level) : level === "Info" ? colours.dim(level) : level;
}

/** Every code there is. */
export function renderCodes(format: MessageFormat): string {
  const codes = ALL_CODES.map((definition) => {
    const { code, level, name, meaning, remedy } = definition;
    return { code, level, name, meaning, remedy, documentation: codeLink(definition) };
  });
  if (format === "json") return JSON.stringify(codes, undefined, 2);
  if (format === "yaml") return stringify(codes, { lineWidth: 0 }).trimEnd();
  return renderTable(
    ["CODE", "LEVEL", "NAME"],
    codes.map(({ code, level, name }) => [code, level, name]),
  );
}

/** `3 errors, 1 warning and 2 infos`, or that there is nothing. */
export function renderSummary(messages: readonly Message[], resources: number, suppressed: number): string {
  const count = (level: Level, word: string): string[] => {
    const found = messages.filter((message) => message.level === level).length;
    return found === 0 ? [] : [`${found} ${word}${found === 1 ? "" : "s"}`];
  };
  const counts = [...count("Error", "error"), ...count("Warning", "warning"), ...count("Info", "info")];
  const found = counts.length === 0 ? "nothing found" : counts.join(", ");
  const hidden = suppressed === 0 ? "" : `; ${suppressed} suppressed`;
  return `${resources} resource${resources === 1 ? "" : "s"} analysed: ${found}${hidden}`;
}
