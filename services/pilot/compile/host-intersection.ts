/**
 * What two host patterns have in common: the narrower of them, when all that it stands for the other stands for too; undefined when
 * they have nothing in common. A pattern is a host, `*.suffix`, `*-suffix` or `*`, in lower case.
 */
export function hostIntersection(a: string, b: string): string | undefined {
  if (covers(a, b)) return b;
  return covers(b, a) ? a : undefined;
}

/** All that hosts of one list have in common with those of another, each once, in the order of the first. */
export function hostIntersections(hosts: readonly string[], others: readonly string[]): string[] {
  const found = new Set<string>();
  for (const host of hosts) {
    for (const other of others) {
      const common = hostIntersection(host, other);
      if (common !== undefined) found.add(common);
    }
  }
  return [...found];
}

/** Whether `wide` stands for everything that `narrow` stands for. */
export function covers(wide: string, narrow: string): boolean {
  if (wide === narrow || wide === "*") return true;
  if (!wide.startsWith("*")) return false;
  const suffix = wide.slice(1);
  const ending = narrow.startsWith("*") ? narrow.slice(1) : narrow;
  // The star stands for one character at least.
  return ending.endsWith(suffix) && (ending.length > suffix.length || narrow.startsWith("*"));
}
