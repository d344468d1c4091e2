/**
 * The header fields of one message, in the order and the case in which they came, with their lower-case keys beside
 * them: looked up by key, written out by name.
 */
export class HeaderList {
  readonly names: string[] = [];
  readonly keys: string[] = [];
  readonly values: string[] = [];

  get length(): number {
    return this.keys.length;
  }

  /** `key` is `name` in lower case. */
  add(name: string, key: string, value: string): void {
    this.names.push(name);
    this.keys.push(key);
    this.values.push(value);
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
    this.values[first] = value;
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
    copy.names.push(...this.names);
    copy.keys.push(...this.keys);
    copy.values.push(...this.values);
    return copy;
  }

  /** Removes the field line at `index`. */
  removeAt(index: number): void {
    this.names.splice(index, 1);
    this.keys.splice(index, 1);
    this.values.splice(index, 1);
  }
}
