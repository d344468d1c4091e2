/*
 * Names, labels, paths and reasons come from workloads and from requests, and are shown on the terminals of people who
 * may do anything to the mesh. A terminal obeys what it is shown: escape sequences move the cursor, rewrite lines, set
 * titles, answer as if typed. So nothing but text leaves the command line, except for the few sequences of its own.
 */

/** To the upper left, and clear what is there. Only at the beginning of an output. */
export const CLEAR_SCREEN = "\u001b[H\u001b[2J";
/** The colours of the palette, and their end. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const COLOUR = /^\u001b\[(?:0|2|31|32)m/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL_OR_SPACE = /[\u0000-\u0020\u007f-\u009f]/g;

/** An output without commands to the terminal. What takes their place is what JSON and YAML write for them. */
export function safeOutput(text: string): string {
  const start = text.startsWith(CLEAR_SCREEN) ? CLEAR_SCREEN.length : 0;
  const rest = text.slice(start);
  return (
    text.slice(0, start) + rest.replace(CONTROL, (char, at: number) => (isColour(rest, at) ? char : escaped(char)))
  );
}

/** A cell of a table: one line. */
export function safeCell(text: string): string {
  return text.replace(/[\n\r\t]/g, escaped);
}

/** One word of a line: what comes from requests must neither move the cursor nor look like the next column. */
export function printable(text: string): string {
  return text.replace(CONTROL_OR_SPACE, (each) => encodeURIComponent(each));
}

/** An address as it may be shown: the login that it carries is left out. */
export function withoutLogin(url: string): string {
  return url.replace(/(\w+:\/\/)[^\s/,]+@/g, "$1");
}

function isColour(text: string, at: number): boolean {
  return COLOUR.test(text.slice(at, at + 5));
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
