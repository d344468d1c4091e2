import { NotFoundError } from "../shared/base/index.ts";
import { closest } from "../shared/model/index.ts";

const MAX_NAMED = 8;

/** Nothing is called `word`: what it was probably meant to be, and what there is. `names` may repeat themselves. */
export function notFound(what: string, word: string, names: Iterable<string>): NotFoundError {
  return new NotFoundError(`no ${what} ${word}; ${whatThereIs(word, names)}`);
}

/** `did you mean a? there are a, b, c and 4 more`. */
export function whatThereIs(word: string, names: Iterable<string>): string {
  const all = [...new Set(names)];
  // What is written without its namespace is compared without.
  const meant = word.includes(".") ? closest(word, all) : closest(word, new Set(all.map(withoutNamespace)));
  const more = all.length > MAX_NAMED ? ` and ${all.length - MAX_NAMED} more` : "";
  const there = `there are ${all.slice(0, MAX_NAMED).join(", ") || "none"}${more}`;
  return meant === undefined ? there : `did you mean ${meant}? ${there}`;
}

function withoutNamespace(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot < 1 ? name : name.slice(0, dot);
}
