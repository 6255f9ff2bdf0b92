import { LIMITS } from '../limits.ts';
import { KnownTexts } from './known-texts.ts';
import { PlainJson } from './plain-json.ts';

// Named here once more: see `plain-json.ts`.
const GIVEN_UP = -1;
const QUOTE = 34;
const ZERO = 48;
const NINE = 57;
const OPEN_BRACKET = 91;
const CLOSE_BRACE = 125;
const { tagKeyLengthMax, tagPairsMax, tagValueLengthMax, typeLengthMax } = LIMITS;

/** Which characters names of types and keys of tags are made of. */
const TYPE_BEGIN = 1;
const TYPE_UNIT = 2;
const KEY_UNIT = 4;
const KINDS = new Uint8Array(128);
for (let unit = 0; unit < 128; unit += 1) {
  const text = String.fromCharCode(unit);
  KINDS[unit] =
    (/[A-Za-z0-9]/.test(text) ? TYPE_BEGIN : 0) |
    (/[A-Za-z0-9_.:-]/.test(text) ? TYPE_UNIT : 0) |
    (/[A-Za-z0-9_.-]/.test(text) ? KEY_UNIT : 0);
}

/** What events and conditions have in common: types and tags. */
export class PlainLabels extends PlainJson {
  readonly #types = new KnownTexts();
  readonly #prefixes = new KnownTexts(':');
  /** The type that was passed last. */
  protected typeName = '';

  /** Passes over the name of a type, and takes it. */
  protected type(start: number): number {
    const units = this.units;
    const from = start + 1;
    let unit = units[from]!;
    if (units[start] !== QUOTE || !is(unit, TYPE_BEGIN)) return GIVEN_UP;
    let at = from;
    let sum = 0;
    for (; is(unit, TYPE_UNIT); unit = units[at]!) {
      sum = (Math.imul(sum, 31) + unit) | 0;
      at += 1;
    }
    if (unit !== QUOTE || at - from > typeLengthMax) return GIVEN_UP;
    this.typeName = this.#types.of(this.text, units, { from, to: at, sum });
    return at + 1;
  }

  /** Passes over tags; each value adds a `key:value`. */
  protected tags(start: number, terms: string[]): number {
    const units = this.units;
    const names = this.namesEnd;
    for (let at = this.open(start); at !== GIVEN_UP; at = this.next(at)) {
      if (units[at] === CLOSE_BRACE) {
        this.namesEnd = names;
        return at + 1;
      }
      const from = at + 1;
      let to = from;
      let sum = 0;
      let unit = units[from]!;
      // Keys that look like numbers come first, wherever they stand.
      if (unit >= ZERO && unit <= NINE) return GIVEN_UP;
      for (; is(unit, KEY_UNIT); unit = units[to]!) {
        sum = (Math.imul(sum, 31) + unit) | 0;
        to += 1;
      }
      if (unit !== QUOTE || to === from || to - from > tagKeyLengthMax) return GIVEN_UP;
      if (!this.isNew(names, sum)) return GIVEN_UP;
      const prefix = this.#prefixes.of(this.text, units, { from, to, sum });
      const begin = this.colon(to + 1);
      if (begin === GIVEN_UP) return GIVEN_UP;
      at =
        units[begin] === OPEN_BRACKET
          ? this.#tagValues(begin, prefix, terms)
          : this.#tag(begin, prefix, terms);
      if (terms.length > tagPairsMax) return GIVEN_UP;
    }
    return GIVEN_UP;
  }

  #tag(start: number, prefix: string, terms: string[]): number {
    if (this.units[start] !== QUOTE) return GIVEN_UP;
    const end = this.string(start);
    const length = end - start - 2;
    if (end === GIVEN_UP || this.isEscaped || length === 0 || length > tagValueLengthMax) return GIVEN_UP;
    terms.push(prefix + this.text.slice(start + 1, end - 1));
    return end;
  }

  #tagValues(start: number, prefix: string, terms: string[]): number {
    const first = terms.length;
    const end = this.list(start, tagPairsMax, (each) => {
      const to = this.#tag(each, prefix, terms);
      const isRepeated = terms.indexOf(terms.at(-1) as string, first) !== terms.length - 1;
      return isRepeated ? GIVEN_UP : to;
    });
    return terms.length === first ? GIVEN_UP : end;
  }
}

function is(unit: number, kind: number): boolean {
  return unit < 128 && (KINDS[unit]! & kind) !== 0;
}
