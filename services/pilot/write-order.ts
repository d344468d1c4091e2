/**
 * The keys in an order in which those that others lead to come before them; a circle is cut anywhere. A chain may be as long as
 * there are keys, so this keeps its own path instead of calling itself.
 */
export function targetsFirst(keys: ReadonlySet<string>, targetsOf: (key: string) => Iterable<string>): string[] {
  const ordered: string[] = [];
  const seen = new Set<string>();
  const path: { readonly key: string; readonly targets: Iterator<string> }[] = [];
  const enter = (key: string): void => {
    seen.add(key);
    path.push({ key, targets: targetsOf(key)[Symbol.iterator]() });
  };
  for (const root of keys) {
    if (!seen.has(root)) enter(root);
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const { done, value } = last.targets.next();
      if (done === true) {
        ordered.push(last.key);
        path.pop();
      } else if (keys.has(value) && !seen.has(value)) enter(value);
    }
  }
  return ordered;
}
