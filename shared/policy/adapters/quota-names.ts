import type { Reader } from "../../model/index.ts";

/** Reports limits whose quota has one already. */
export function reportRepeats(
  quotas: readonly { readonly name: string }[],
  at: { readonly path: string; readonly reader: Reader },
): void {
  const seen = new Set<string>();
  for (const { name } of quotas) {
    if (name !== "" && seen.has(name)) {
      at.reader.error(
        `${at.path}.quotas`,
        name,
        `two limits for ${name}`,
        "keep one of them; use overrides for special cases",
      );
    }
    seen.add(name);
  }
}
