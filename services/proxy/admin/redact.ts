/** What stands in place of a secret. */
const REDACTED = "[redacted]";
const SECRET = /password|secret|token|credential|private|(?:^|_)key$|keypem/i;

/** A copy in which nothing is told that opens a door: values of secret names, and passwords inside of URLs. */
export function redacted(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/(\w+:\/\/)[^\s/,]+@/g, `$1${REDACTED}@`);
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, SECRET.test(name) && each !== "" ? REDACTED : redacted(each)]),
  );
}
