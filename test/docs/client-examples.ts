import { readFileSync } from "node:fs";

/** The bodies of the example functions, name by name, each way beside the other. */
export function renderClientExamples(): ReadonlyMap<string, string> {
  const typed = bodiesOf("client-calls.ts");
  const bare = bodiesOf("plain-nats.ts");
  return new Map(
    [...typed].map(([name, body]) => [
      `example ${name}`,
      `\n${block("ts", body)}\nThe same with any NATS client:\n\n${block("ts", bare.get(name) ?? "")}\n`,
    ]),
  );
}

function bodiesOf(file: string): ReadonlyMap<string, string> {
  const source = readFileSync(new URL(`../../../test/examples/${file}`, import.meta.url), "utf8");
  const functions = source.matchAll(/^export async function (\w+)\([\s\S]*?\n?\): .*? \{\n([\s\S]*?)^\}$/gm);
  return new Map([...functions].map(([, name = "", body = ""]) => [name, body.replaceAll(/^ {2}/gm, "").trimEnd()]));
}

function block(language: string, text: string): string {
  return `\`\`\`${language}\n${text}\n\`\`\`\n`;
}
