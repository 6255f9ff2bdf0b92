/** Of more keys than that every term counts. */
const KEYS_MAX = 8;

/**
 * The keys of tags that somebody has asked about, as terms begin with them: `issueId:`. An event has some six terms, and questions
 * are about one or two of the keys.
 */
export class AskedKeys implements Iterable<string> {
  #keys: string[] = [];

  [Symbol.iterator](): Iterator<string> {
    return this.#keys[Symbol.iterator]();
  }

  has(term: string): boolean {
    for (const key of this.#keys) if (term.startsWith(key)) return true;
    return false;
  }

  /** Notes the key of a term and gives it. Where there are too many it is '', which every term begins with, and the only one. */
  add(term: string): string {
    const key = this.#keys.length < KEYS_MAX ? term.slice(0, term.indexOf(':') + 1) : '';
    if (key === '') this.#keys = [];
    this.#keys.push(key);
    return key;
  }
}
