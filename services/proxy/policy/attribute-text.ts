import type { AttributeValue } from "../../../shared/model/index.ts";

/** A value as part of a key, unambiguous when strung together: its kind, and the length where it could hold anything. */
export function attributeText(value: AttributeValue | undefined): string {
  switch (typeof value) {
    case "string":
      return `s${value.length}:${value}`;
    case "number":
      return `n${value};`;
    case "boolean":
      return value ? "t" : "f";
    case "undefined":
      return "-";
    default:
      return value instanceof Uint8Array ? `b${Buffer.from(value).toString("hex")};` : mapText(value);
  }
}

function mapText(map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).sort();
  let text = `m${keys.length}:`;
  for (const key of keys) text += attributeText(key) + attributeText(map[key]);
  return text;
}
