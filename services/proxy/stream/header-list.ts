/**
 * The header fields of one message, in the order and the case in which they came. Each is kept twice: as what is looked
 * up (the key in lower case, the value), and as the line that goes on the wire, so that a field which only passes
 * through is never put together again.
 */
export class HeaderList {
  readonly keys: string[] = [];
  readonly values: string[] = [];
  /** `Name: value`, each with its line end. */
  readonly lines: string[] = [];

  get length(): number {
    return this.keys.length;
  }

  /** `key` is `name` in lower case. */
  add(name: string, key: string, value: string): void {
    this.addLine(key, value, `${name}: ${value}\r\n`);
  }

  /** The same with the line ready made. */
  addLine(key: string, value: string, line: string): void {
    this.keys.push(key);
    this.values.push(value);
    this.lines.push(line);
  }

  /** The first value of a field; `key` in lower case. */
  get(key: string): string | undefined {
    const index = this.keys.indexOf(key);
    return index < 0 ? undefined : this.values[index];
  }

  has(key: string): boolean {
    return this.keys.includes(key);
  }

  /** Replaces all values of a field, at the place of the first; appends it when absent. */
  set(name: string, key: string, value: string): void {
    const first = this.keys.indexOf(key);
    if (first < 0) {
      this.add(name, key, value);
      return;
    }
    this.replaceAt(first, value);
    for (let i = this.keys.length - 1; i > first; i--) if (this.keys[i] === key) this.removeAt(i);
  }

  remove(key: string): void {
    for (let i = this.keys.length - 1; i >= 0; i--) if (this.keys[i] === key) this.removeAt(i);
  }

  /** All fields as one map; several values of one field are joined with a comma (RFC 9110 5.3). */
  toMap(): Record<string, string> {
    const map: Record<string, string> = Object.create(null);
    for (let i = 0; i < this.keys.length; i++) {
      const key = this.keys[i] ?? "";
      const value = this.values[i] ?? "";
      const before = map[key];
      map[key] = before === undefined ? value : `${before},${value}`;
    }
    return map;
  }

  clone(): HeaderList {
    const copy = new HeaderList();
    copy.keys.push(...this.keys);
    copy.values.push(...this.values);
    copy.lines.push(...this.lines);
    return copy;
  }

  /** The name at `index`, in the case in which it came. */
  nameAt(index: number): string {
    return (this.lines[index] ?? "").slice(0, (this.keys[index] ?? "").length);
  }

  /** The field line at `index` gets another value. */
  replaceAt(index: number, value: string): void {
    this.values[index] = value;
    this.lines[index] = `${this.nameAt(index)}: ${value}\r\n`;
  }

  /** Removes the field line at `index`. */
  removeAt(index: number): void {
    this.keys.splice(index, 1);
    this.values.splice(index, 1);
    this.lines.splice(index, 1);
  }
}
