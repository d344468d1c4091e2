/**
 * Which texts a regular expression can match as a whole, as far as that is plain to see: whether there is any at all, and
 * whether one begins with a given character. A pattern is read once from left to right into a few facts; what is not
 * understood (flags that change anchors, classes of Unicode) counts as "may match", so a pattern is never called impossible
 * that is not.
 */
interface Facts {
  /** Whether any text matches. */
  readonly possible: boolean;
  /** Whether the empty text does. */
  readonly nullable: boolean;
  /** Nothing may stand before it. */
  readonly needsStart: boolean;
  /** Nothing may follow it. */
  readonly needsEnd: boolean;
  /** Whether a text that matches may begin with the character asked for. */
  readonly first: boolean;
}

const EMPTY: Facts = { possible: true, nullable: true, needsStart: false, needsEnd: false, first: false };

/** Whether some text that begins with `first` (any, when undefined) may match the whole pattern. The pattern must be valid. */
export function mayMatch(pattern: string, first?: string): boolean {
  const flags = /\(\?([a-zA-Z]*)[-:)]/g;
  for (const [, letters = ""] of pattern.matchAll(flags)) if (letters.includes("m")) return true;
  const facts = new PatternReader(pattern, first ?? "").alternatives();
  if (!facts.possible) return false;
  return first === undefined || facts.first;
}

/** Whether a pattern has no special characters: it matches just its own text. */
export function isLiteral(pattern: string): boolean {
  return !/[\\^$.|?*+()[\]{}]/.test(pattern);
}

class PatternReader {
  readonly #pattern: string;
  readonly #first: string;
  #at = 0;

  constructor(pattern: string, first: string) {
    this.#pattern = pattern;
    this.#first = first;
  }

  alternatives(): Facts {
    let facts = this.#sequence();
    while (this.#take("|")) facts = either(facts, this.#sequence());
    return facts;
  }

  #sequence(): Facts {
    let facts = EMPTY;
    while (this.#at < this.#pattern.length && !this.#sees("|") && !this.#sees(")")) {
      facts = then(facts, this.#repeated(this.#item()));
    }
    return facts;
  }

  #repeated(item: Facts): Facts {
    let facts = item;
    for (;;) {
      const counted = /^\{(\d+)(,(\d*))?\}/.exec(this.#pattern.slice(this.#at, this.#at + 12));
      if (this.#take("*") || this.#take("?")) facts = optional(facts);
      else if (counted !== null) {
        this.#at += counted[0].length;
        const max = counted[2] === undefined ? counted[1] : counted[3];
        if (max === "0") facts = EMPTY;
        else if (counted[1] === "0") facts = optional(facts);
      } else if (!this.#take("+")) return facts;
    }
  }

  #item(): Facts {
    const char = this.#next();
    switch (char) {
      case "(": {
        const group = /^\?(?:P?<[^>]*>|[a-zA-Z-]*(:|\)))/.exec(this.#pattern.slice(this.#at));
        if (group !== null) this.#at += group[0].length;
        if (group?.[1] === ")") return EMPTY;
        const facts = this.alternatives();
        this.#take(")");
        return facts;
      }
      case "^":
        return { ...EMPTY, needsStart: true };
      case "$":
        return { ...EMPTY, needsEnd: true };
      case ".":
        return this.#character(this.#first !== "\n");
      case "[":
        return this.#character(this.#class());
      case "\\":
        return this.#escape();
      default:
        return this.#character(sameLetter(char, this.#first));
    }
  }

  #escape(): Facts {
    const char = this.#next();
    if (char === "A") return { ...EMPTY, needsStart: true };
    if (char === "z") return { ...EMPTY, needsEnd: true };
    if (char === "b" || char === "B") return EMPTY;
    if (char === "Q") {
      const end = this.#pattern.indexOf("\\E", this.#at);
      const text = this.#pattern.slice(this.#at, end < 0 ? undefined : end);
      this.#at = end < 0 ? this.#pattern.length : end + 2;
      return text === "" ? EMPTY : this.#character(sameLetter(text.charAt(0), this.#first));
    }
    return this.#character(this.#escaped(char));
  }

  /** Whether an escape, whose letter was read, may mean the character asked for. */
  #escaped(char: string): boolean {
    const named = CLASSES[char];
    if (named !== undefined) return named.test(this.#first);
    if (char === "p" || char === "P") {
      const name = /^(?:\{[^}]*\}|.)/.exec(this.#pattern.slice(this.#at));
      this.#at += name?.[0].length ?? 0;
      return true;
    }
    if (char === "x") {
      const code = /^(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/.exec(this.#pattern.slice(this.#at));
      this.#at += code?.[0].length ?? 0;
      return sameLetter(String.fromCodePoint(Number.parseInt(code?.[1] ?? code?.[2] ?? "0", 16)), this.#first);
    }
    if (/[0-7]/.test(char)) return true;
    return /[a-zA-Z]/.test(char) ? true : char === this.#first;
  }

  /** A character class, whose bracket was read. */
  #class(): boolean {
    const negated = this.#take("^");
    let found = false;
    let isUnknown = false;
    for (let isFirst = true; this.#at < this.#pattern.length; isFirst = false) {
      if (!isFirst && this.#take("]")) break;
      const posix = /^\[:\^?\w+:\]/.exec(this.#pattern.slice(this.#at, this.#at + 16));
      if (posix !== null) {
        this.#at += posix[0].length;
        isUnknown = true;
        continue;
      }
      const from = this.#next();
      if (from === "\\") {
        const letter = this.#next();
        if (/[a-zA-Z0-9]/.test(letter) && !(letter in CLASSES)) isUnknown = true;
        found = this.#escaped(letter) || found;
      } else if (this.#sees("-") && this.#pattern[this.#at + 1] !== "]") {
        this.#at++;
        const to = this.#next();
        if (to === "\\") {
          this.#next();
          isUnknown = true;
        } else found ||= inRange(this.#first, from, to);
      } else found ||= sameLetter(from, this.#first);
    }
    return isUnknown || found !== negated;
  }

  #character(first: boolean): Facts {
    return { possible: true, nullable: false, needsStart: false, needsEnd: false, first };
  }

  #next(): string {
    return this.#pattern.charAt(this.#at++);
  }

  #sees(char: string): boolean {
    return this.#pattern.charAt(this.#at) === char;
  }

  #take(char: string): boolean {
    if (!this.#sees(char) || char === "") return false;
    this.#at++;
    return true;
  }
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  d: /^[0-9]$/,
  D: /^[^0-9]$/,
  w: /^[0-9A-Za-z_]$/,
  W: /^[^0-9A-Za-z_]$/,
  s: /^[\t\n\f\r ]$/,
  S: /^[^\t\n\f\r ]$/,
};

/** Letter case is left aside: a flag may say so anywhere. */
function sameLetter(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function inRange(char: string, from: string, to: string): boolean {
  return [char.toLowerCase(), char.toUpperCase()].some((each) => each >= from && each <= to);
}

function then(a: Facts, b: Facts): Facts {
  return {
    possible: a.possible && b.possible && (a.nullable || !b.needsStart) && (b.nullable || !a.needsEnd),
    nullable: a.nullable && b.nullable,
    needsStart: a.needsStart || b.needsStart,
    needsEnd: a.needsEnd || b.needsEnd,
    first: a.first || (a.nullable && b.first),
  };
}

function either(a: Facts, b: Facts): Facts {
  if (!a.possible || !b.possible) return a.possible ? a : b;
  return {
    possible: true,
    nullable: a.nullable || b.nullable,
    needsStart: a.needsStart && b.needsStart,
    needsEnd: a.needsEnd && b.needsEnd,
    first: a.first || b.first,
  };
}

function optional(facts: Facts): Facts {
  return { ...EMPTY, first: facts.possible && facts.first };
}
