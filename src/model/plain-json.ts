import { LIMITS } from '../limits.ts';

/** A member of the metadata that has to be a text. */
export interface TextMember {
  readonly name: string;
  /** Whether the caller wants to have it. */
  readonly isWanted: boolean;
  /** What it may be, where it may not be any text. */
  readonly choices: readonly string[] | undefined;
}

export const QUOTE = 34;
const BACKSLASH = 92;
export const OPEN_BRACE = 123;
export const CLOSE_BRACE = 125;
export const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
export const COMMA = 44;
const COLON = 58;
const SPACE = 32;
const MINUS = 45;
const DOT = 46;
export const ZERO = 48;
export const NINE = 57;

/** Longer texts are read otherwise: this would need as much memory again, for good. */
const UNITS_MAX = 1024 * 1024;
/** A double gives numbers of up to 15 digits back. */
export const NUMBER_UNITS_MAX = 15;
/** Names of one object that are compared with each other. */
const NAMES_MAX = 64;
/** What `value` gives for what is not plain. */
export const GIVEN_UP = -1;

/**
 * Goes through JSON in one go, as far as it is plain: without an escape in a name, a number that takes thought, or space
 * other than blanks. What is passed over would be given back as it is; see `plain-text.ts`.
 */
export class PlainJson {
  /** By the sums of their names. */
  readonly #members: ReadonlyMap<number, TextMember>;
  /** The names that the caller wants, in their order. */
  protected readonly wanted: readonly string[];
  protected units = new Uint16Array(64 * 1024);
  #bytes = Buffer.from(this.units.buffer);
  protected text = '';
  /** Sums of the names of the objects that are open. */
  #names = new Int32Array(256);
  protected namesEnd = 0;
  /** Of the text that was passed last, and of the name. */
  protected isEscaped = false;
  #sum = 0;

  constructor(members: readonly TextMember[]) {
    this.#members = new Map(members.map((member) => [sumOf(member.name), member]));
    this.wanted = members.flatMap(({ name, isWanted }) => (isWanted ? [name] : []));
  }

  protected begin(text: string): boolean {
    if (text.length >= UNITS_MAX) return false;
    if (text.length >= this.units.length) {
      this.units = new Uint16Array(text.length * 2);
      this.#bytes = Buffer.from(this.units.buffer);
    }
    this.#bytes.write(text, 'utf16le');
    // What stands behind the text belongs to nothing.
    this.units[text.length] = 0;
    this.text = text;
    this.namesEnd = 0;
    return true;
  }

  /** Which of a few names stands there in quotes. */
  protected word<W extends string>(at: number, words: readonly W[]): W | undefined {
    const units = this.units;
    if (units[at] !== QUOTE) return undefined;
    for (const word of words) {
      const { length } = word;
      if (units[at + 1 + length] !== QUOTE || units[at + 1] !== word.charCodeAt(0)) continue;
      let index = 1;
      while (index < length && units[at + 1 + index] === word.charCodeAt(index)) index += 1;
      if (index === length) return word;
    }
    return undefined;
  }

  /** Behind the colon at or behind an offset. */
  protected colon(at: number): number {
    const colon = this.space(at);
    return this.units[colon] === COLON ? this.space(colon + 1) : GIVEN_UP;
  }

  protected space(at: number): number {
    const units = this.units;
    let next = at;
    while (units[next] === SPACE) next += 1;
    return next;
  }

  /** Passes over a value; `depth` is that of what it stands in. */
  protected value(start: number, depth: number, depthMax: number): number {
    const unit = this.units[start]!;
    if (unit === QUOTE) return this.string(start);
    if (unit === OPEN_BRACE) return this.object(start, depth + 1, depthMax, undefined);
    if (unit === OPEN_BRACKET) return this.#array(start, depth + 1, depthMax);
    if (unit === MINUS || (unit >= ZERO && unit <= NINE)) return this.#number(start);
    for (const word of LITERALS) if (this.text.startsWith(word, start)) return start + word.length;
    return GIVEN_UP;
  }

  /** Passes over an object. Of metadata it takes the texts that are `named`. */
  protected object(
    start: number,
    depth: number,
    depthMax: number,
    named: Map<string, string> | undefined,
  ): number {
    if (depth > depthMax) return GIVEN_UP;
    const units = this.units;
    let at = this.space(start + 1);
    if (units[at] === CLOSE_BRACE) return at + 1;
    const names = this.namesEnd;
    for (;;) {
      const from = at + 1;
      at = this.#name(at);
      const sum = this.#sum;
      if (at === GIVEN_UP || this.isKnown(names, sum) || sum === PROTO) return GIVEN_UP;
      const to = at - 1;
      const begin = this.colon(at);
      if (begin === GIVEN_UP) return GIVEN_UP;
      at = this.value(begin, depth, depthMax);
      if (at === GIVEN_UP) return GIVEN_UP;
      const member = named === undefined ? undefined : this.#members.get(sum);
      if (named !== undefined && member !== undefined) {
        // Another name of this sum is seldom enough.
        if (member.name !== this.text.slice(from, to)) return GIVEN_UP;
        if (!this.#takeText(member, begin, at, named)) return GIVEN_UP;
      }
      at = this.space(at);
      if (units[at] === CLOSE_BRACE) break;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
    this.namesEnd = names;
    return at + 1;
  }

  /** Takes a member of the metadata that has to be a text; false when it is none. */
  #takeText({ name, isWanted, choices }: TextMember, begin: number, end: number, named: Map<string, string>) {
    if (this.units[begin] !== QUOTE || this.isEscaped) return false;
    if (!isWanted && choices === undefined) return end - begin - 2 <= LIMITS.metadataValueLengthMax;
    const value = this.text.slice(begin + 1, end - 1);
    if (choices !== undefined) return choices.includes(value);
    if (value !== '') named.set(name, value);
    return value.length <= LIMITS.metadataValueLengthMax;
  }

  #array(start: number, depth: number, depthMax: number): number {
    if (depth > depthMax) return GIVEN_UP;
    return this.list(start, Number.POSITIVE_INFINITY, (each) => this.value(each, depth, depthMax));
  }

  /** Passes over an array; `add` passes over each of its values, and takes it. */
  protected list(start: number, max: number, add: (start: number) => number): number {
    const units = this.units;
    if (units[start] !== OPEN_BRACKET) return GIVEN_UP;
    let at = this.space(start + 1);
    if (units[at] === CLOSE_BRACKET) return at + 1;
    for (let left = max; left > 0; left -= 1) {
      at = add(at);
      if (at === GIVEN_UP) return GIVEN_UP;
      at = this.space(at);
      if (units[at] === CLOSE_BRACKET) return at + 1;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
    return GIVEN_UP;
  }

  /** Passes over a text. Escapes of four digits take thought. */
  protected string(start: number): number {
    const units = this.units;
    let at = start + 1;
    this.isEscaped = false;
    for (let unit = units[at]!; unit !== QUOTE; unit = units[at]!) {
      if (unit < SPACE) return GIVEN_UP;
      if (unit === BACKSLASH) {
        at += 1;
        if (!isShortEscape(units[at]!)) return GIVEN_UP;
        this.isEscaped = true;
      }
      at += 1;
    }
    return at + 1;
  }

  /** Passes over the name of a member and notes its sum. */
  #name(start: number): number {
    const units = this.units;
    if (units[start] !== QUOTE) return GIVEN_UP;
    let at = start + 1;
    let sum = 0;
    for (let unit = units[at]!; unit !== QUOTE; unit = units[at]!) {
      if (unit < SPACE || unit === BACKSLASH) return GIVEN_UP;
      sum = (Math.imul(sum, 31) + unit) | 0;
      at += 1;
    }
    this.#sum = sum;
    return at + 1;
  }

  #number(start: number): number {
    const units = this.units;
    let at = units[start] === MINUS ? start + 1 : start;
    const whole = at;
    while (units[at]! >= ZERO && units[at]! <= NINE) at += 1;
    if (at === whole || (units[whole] === ZERO && at > whole + 1)) return GIVEN_UP;
    if (units[at] === DOT) {
      const fraction = at + 1;
      at = fraction;
      while (units[at]! >= ZERO && units[at]! <= NINE) at += 1;
      if (at === fraction) return GIVEN_UP;
    }
    // What else may stand behind a digit is an exponent, and ends the attempt where a comma is expected.
    return at - start <= NUMBER_UNITS_MAX ? at : GIVEN_UP;
  }

  /** Whether an object that is open, from `first` on, may have a name already; notes it. */
  protected isKnown(first: number, sum: number): boolean {
    const names = this.#names;
    const end = this.namesEnd;
    if (end - first === NAMES_MAX) return true;
    for (let index = first; index < end; index += 1) if (names[index] === sum) return true;
    if (end === names.length) {
      this.#names = new Int32Array(end * 2);
      this.#names.set(names);
    }
    this.#names[end] = sum;
    this.namesEnd = end + 1;
    return false;
  }
}

function sumOf(name: string): number {
  let sum = 0;
  for (let index = 0; index < name.length; index += 1)
    sum = (Math.imul(sum, 31) + name.charCodeAt(index)) | 0;
  return sum;
}

/** A name that is not accepted. */
export const PROTO = sumOf('__proto__');
const LITERALS = ['true', 'false', 'null'] as const;

/** Of `\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r` and `\t`. */
function isShortEscape(unit: number): boolean {
  return (
    unit === QUOTE ||
    unit === BACKSLASH ||
    unit === 47 ||
    unit === 98 ||
    unit === 102 ||
    unit === 110 ||
    unit === 114 ||
    unit === 116
  );
}
