import { flat } from './flat.ts';

const TEXTS_MAX = 1000;
const QUOTE = 34;

/** A text that is looked for by its characters, which takes less time than asking it for each. */
export class Word<Text extends string = string> {
  readonly text: Text;
  readonly #units: Uint16Array;

  constructor(text: Text) {
    this.text = text;
    this.#units = Uint16Array.from(text, (_, index) => text.charCodeAt(index));
  }

  /** Whether it stands at an offset, up to a quote. */
  standsAt(units: Uint16Array, from: number): boolean {
    const own = this.#units;
    const { length } = own;
    if (units[from + length] !== QUOTE) return false;
    for (let index = 0; index < length; index += 1) if (own[index] !== units[from + index]) return false;
    return true;
  }
}

export function wordsOf<const Text extends string>(...texts: readonly Text[]): readonly Word<Text>[] {
  return texts.map((text) => new Word(text));
}

/**
 * Texts that come again and again, such as names of types. They are found by a sum of their characters, without a slice
 * of the text that they stand in; and what somebody remembers of one keeps no request in memory, as a slice would.
 */
export class KnownTexts {
  readonly #bySum = new Map<number, { readonly word: Word; readonly text: string }>();
  readonly #suffix: string;

  /** @param suffix What is put behind each of them. */
  constructor(suffix = '') {
    this.#suffix = suffix;
  }

  /** The part of a text between two quotes, with the suffix; `sum` is one of `units` in that part. */
  of(text: string, units: Uint16Array, { from, to, sum }: { from: number; to: number; sum: number }): string {
    const known = this.#bySum.get(sum);
    if (known?.word.standsAt(units, from)) return known.text;
    const word = new Word(flat(text.slice(from, to)));
    const found = flat(word.text + this.#suffix);
    if (this.#bySum.size >= TEXTS_MAX) this.#bySum.clear();
    this.#bySum.set(sum, { word, text: found });
    return found;
  }
}
