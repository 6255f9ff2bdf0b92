import { LIMITS } from '../limits.ts';
import {
  CLOSE_BRACE,
  COMMA,
  GIVEN_UP,
  NINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  PlainJson,
  PROTO,
  QUOTE,
  ZERO,
} from './plain-json.ts';

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
  /** Passes over the name of a type. */
  protected type(start: number): number {
    const units = this.units;
    if (units[start] !== QUOTE || !is(units[start + 1]!, TYPE_BEGIN)) return GIVEN_UP;
    let at = start + 2;
    while (is(units[at]!, TYPE_UNIT)) at += 1;
    return units[at] === QUOTE && at - start - 1 <= LIMITS.typeLengthMax ? at + 1 : GIVEN_UP;
  }

  /** Passes over tags; each value adds a `key:value`. */
  protected tags(start: number, terms: string[]): number {
    const units = this.units;
    const text = this.text;
    if (units[start] !== OPEN_BRACE) return GIVEN_UP;
    let at = this.space(start + 1);
    if (units[at] === CLOSE_BRACE) return at + 1;
    const names = this.namesEnd;
    for (;;) {
      if (units[at] !== QUOTE) return GIVEN_UP;
      const from = at + 1;
      let sum = 0;
      let unit = units[from]!;
      // Keys that look like numbers come first, wherever they stand.
      if (unit >= ZERO && unit <= NINE) return GIVEN_UP;
      for (at = from; is(unit, KEY_UNIT); unit = units[at]!) {
        sum = (Math.imul(sum, 31) + unit) | 0;
        at += 1;
      }
      const length = at - from;
      if (unit !== QUOTE || length === 0 || length > LIMITS.tagKeyLengthMax) return GIVEN_UP;
      if (this.isKnown(names, sum) || sum === PROTO) return GIVEN_UP;
      const key = text.slice(from, at);
      const begin = this.colon(at + 1);
      if (begin === GIVEN_UP) return GIVEN_UP;
      at = units[begin] === OPEN_BRACKET ? this.#tagValues(begin, key, terms) : this.#tag(begin, key, terms);
      if (at === GIVEN_UP || terms.length > LIMITS.tagPairsMax) return GIVEN_UP;
      at = this.space(at);
      if (units[at] === CLOSE_BRACE) break;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
    this.namesEnd = names;
    return at + 1;
  }

  #tag(start: number, key: string, terms: string[]): number {
    if (this.units[start] !== QUOTE) return GIVEN_UP;
    const end = this.string(start);
    const length = end - start - 2;
    if (end === GIVEN_UP || this.isEscaped || length === 0 || length > LIMITS.tagValueLengthMax)
      return GIVEN_UP;
    terms.push(`${key}:${this.text.slice(start + 1, end - 1)}`);
    return end;
  }

  #tagValues(start: number, key: string, terms: string[]): number {
    const first = terms.length;
    const end = this.list(start, LIMITS.tagPairsMax, (each) => {
      const to = this.#tag(each, key, terms);
      const isRepeated = terms.indexOf(terms.at(-1) as string, first) !== terms.length - 1;
      return isRepeated ? GIVEN_UP : to;
    });
    return terms.length === first ? GIVEN_UP : end;
  }
}

function is(unit: number, kind: number): boolean {
  return unit < 128 && (KINDS[unit]! & kind) !== 0;
}
