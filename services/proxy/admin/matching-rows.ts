/** By what rows of views are known. */
const NAMES = ["name", "service", "cluster", "instance", "address", "host", "key"];

/** A view without those rows of its lists in whose names the text does not occur. */
export function matching(view: unknown, text: string): unknown {
  if (Array.isArray(view)) return view.filter((row) => isNamed(row, text));
  if (typeof view !== "object" || view === null) return view;
  return Object.fromEntries(
    Object.entries(view).map(([name, value]) => [name, Array.isArray(value) ? matching(value, text) : value]),
  );
}

function isNamed(row: unknown, text: string): boolean {
  if (typeof row === "string") return row.includes(text);
  if (typeof row !== "object" || row === null) return false;
  const fields = row as Readonly<Record<string, unknown>>;
  return NAMES.some((name) => {
    const value = fields[name];
    return typeof value === "string" && value.includes(text);
  });
}
