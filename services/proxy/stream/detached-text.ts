/** Parts of a text that are shorter than this are copies anyway. */
const MIN_PART_CHARS = 13;

/**
 * The same text by itself. The engine makes a part of a text point into the whole, and a sum of texts point to its
 * parts, so a word that is kept of a message's head, or a key with such a word in it, would keep all of the head.
 */
export function detachedText(text: string): string {
  return text.length < MIN_PART_CHARS ? text : ` ${text}`.slice(1);
}
