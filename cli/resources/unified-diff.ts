/**
 * Unified diffs, as `diff -u` writes them. The longest common subsequence is found after cutting off what both texts
 * begin and end with; texts so different that this would be slow are shown as removed and added whole.
 */
export interface DiffLabels {
  readonly from: string;
  readonly to: string;
}

type Edit = " " | "-" | "+";
interface Line {
  readonly edit: Edit;
  readonly text: string;
}

const CONTEXT_LINES = 3;
const MAX_CELLS = 4_000_000;

/** "" when the texts are the same. */
export function unifiedDiff(from: string, to: string, labels: DiffLabels): string {
  if (from === to) return "";
  const lines = compare(linesOf(from), linesOf(to));
  const hunks = hunksOf(lines).map((hunk) => renderHunk(lines, hunk));
  return [`--- ${labels.from}`, `+++ ${labels.to}`, ...hunks].join("\n");
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function compare(a: readonly string[], b: readonly string[]): Line[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const same = (lines: readonly string[]) => lines.map((text): Line => ({ edit: " ", text }));
  return [
    ...same(a.slice(0, start)),
    ...edits(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end)),
  ];
}

function edits(a: readonly string[], b: readonly string[]): Line[] {
  if (a.length * b.length > MAX_CELLS)
    return [...a.map((text): Line => ({ edit: "-", text })), ...b.map((text): Line => ({ edit: "+", text }))];
  // common[i][j]: length of the longest common subsequence of a from i and b from j.
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const lines: Line[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ edit: " ", text: a[i++] ?? "" });
      j++;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1)))
      lines.push({ edit: "-", text: a[i++] ?? "" });
    else lines.push({ edit: "+", text: b[j++] ?? "" });
  }
  return lines;
}

interface Hunk {
  readonly start: number;
  readonly end: number;
}

/** Changes with what stands around them; those that touch are one. */
function hunksOf(lines: readonly Line[]): readonly Hunk[] {
  const hunks: { start: number; end: number }[] = [];
  lines.forEach(({ edit }, index) => {
    if (edit === " ") return;
    const start = Math.max(0, index - CONTEXT_LINES);
    const end = Math.min(lines.length, index + CONTEXT_LINES + 1);
    const last = hunks.at(-1);
    if (last !== undefined && start <= last.end) last.end = end;
    else hunks.push({ start, end });
  });
  return hunks;
}

function renderHunk(lines: readonly Line[], { start, end }: Hunk): string {
  const count = (part: readonly Line[], without: Edit) => part.filter(({ edit }) => edit !== without).length;
  const before = lines.slice(0, start);
  const hunk = lines.slice(start, end);
  const range = (without: Edit) => {
    const length = count(hunk, without);
    const first = count(before, without) + (length === 0 ? 0 : 1);
    return length === 1 ? String(first) : `${first},${length}`;
  };
  return [`@@ -${range("+")} +${range("-")} @@`, ...hunk.map(({ edit, text }) => `${edit}${text}`)].join("\n");
}
