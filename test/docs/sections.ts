/**
 * Parts of a page that are made from code stand between two comments, `<!-- made: name -->` and `<!-- end -->`. People
 * write around them; the generator and the tests look only inside.
 */
const SECTION = /<!-- made: ([^>]+?) -->\n([\s\S]*?)<!-- end -->/g;

/** Name -> text of every made section. */
export function readSections(page: string): ReadonlyMap<string, string> {
  return new Map([...page.matchAll(SECTION)].map(([, name = "", text = ""]) => [name, text]));
}

/** The page with its made sections written anew. Throws for a section that nothing makes. */
export function fillSections(page: string, texts: ReadonlyMap<string, string>): string {
  return page.replaceAll(SECTION, (_whole, name: string) => {
    const text = texts.get(name);
    if (text === undefined) throw new Error(`nothing makes section ${JSON.stringify(name)}`);
    return `<!-- made: ${name} -->\n${text}<!-- end -->`;
  });
}

/** A Markdown table, with bars inside cells escaped. Between blank lines, as every renderer wants it. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return `\n${[line(header), `|${"---|".repeat(header.length)}`, ...rows.map(line)].join("\n")}\n\n`;
}

export function code(text: string): string {
  return `\`${text}\``;
}
