import { LIMITS } from '../limits.ts';
import { Word, wordsOf } from './known-texts.ts';

/** A member of the metadata that has to be a text. */
export interface TextMember {
  readonly name: string;
  /** Whether the caller wants to have it. */
  readonly isWanted: boolean;
  /** What it may be, where it may not be any text. */
  readonly choices: readonly string[] | undefined;
}

interface Member {
  readonly word: Word;
  /** Among those that are wanted; -1 for another. */
  readonly number: number;
  readonly choices: readonly Word[] | undefined;
}

/**
 * Characters, and what is given for what is not plain. Those who go through texts name them for themselves: what a module
 * exports or imports is read anew at every use, and here there is one for every character.
 */
const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const COMMA = 44;
const COLON = 58;
const SPACE = 32;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;

/** Longer texts are read otherwise: this would need as much memory again, for good. */
const UNITS_MAX = 1024 * 1024;
/** A double gives numbers of up to 15 digits back. */
const NUMBER_UNITS_MAX = 15;
/** Names of one object that are compared with each other. */
const NAMES_MAX = 64;
const GIVEN_UP = -1;
const { metadataValueLengthMax } = LIMITS;

/**
 * Goes through JSON in one go, as far as it is plain: without an escape in a name, a number that takes thought, or space
 * other than blanks. What is passed over would be given back as it is; see `plain-text.ts`.
 */
export class PlainJson {
  /** By the sums of their names. */
  readonly #members: ReadonlyMap<number, Member>;
  /** The names that the caller wants, in their order. */
  protected readonly wanted: readonly string[];
  protected units = new Uint16Array(64 * 1024);
  #bytes = Buffer.from(this.units.buffer);
  protected text = '';
  /** Sums of the names of the objects that are open. */
  #names = new Int32Array(256);
  protected namesEnd = 0;
  /** Of the text that was passed last. */
  protected isEscaped = false;
  /** Of the characters of the name that was passed last. */
  protected sum = 0;
  /** What was taken of the metadata that was passed last, in the order of `wanted`; '' where there was nothing. */
  protected readonly named: string[];

  constructor(members: readonly TextMember[]) {
    this.wanted = members.flatMap(({ name, isWanted }) => (isWanted ? [name] : []));
    this.named = this.wanted.map(() => '');
    this.#members = new Map(
      members.map(({ name, choices }) => [
        sumOf(name),
        { word: new Word(name), number: this.wanted.indexOf(name), choices: choices && wordsOf(...choices) },
      ]),
    );
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

  /** Which of a few names stands there, at a quote. */
  protected word<W extends string>(at: number, words: readonly Word<W>[]): W | undefined {
    const units = this.units;
    for (const word of words) if (word.standsAt(units, at + 1)) return word.text;
    return undefined;
  }

  /** Passes over a name that stands at an offset, up to its value. */
  protected valueOf(at: number, name: string | undefined): number {
    return name === undefined ? GIVEN_UP : this.colon(at + name.length + 2);
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

  /** Passes over the brace that begins an object: up to its first name, or to the brace that ends it. */
  protected open(start: number): number {
    const units = this.units;
    if (units[start] !== OPEN_BRACE) return GIVEN_UP;
    const at = this.space(start + 1);
    return units[at] === QUOTE || units[at] === CLOSE_BRACE ? at : GIVEN_UP;
  }

  /** Passes over what stands between a member and the next: up to its name, or to the brace that ends the object. */
  protected next(end: number): number {
    if (end === GIVEN_UP) return GIVEN_UP;
    const units = this.units;
    const at = this.space(end);
    if (units[at] === CLOSE_BRACE) return at;
    if (units[at] !== COMMA) return GIVEN_UP;
    const name = this.space(at + 1);
    return units[name] === QUOTE ? name : GIVEN_UP;
  }

  /** Passes over a value; `depth` is that of what it stands in. */
  protected value(start: number, depth: number, depthMax: number): number {
    const unit = this.units[start]!;
    if (unit === QUOTE) return this.string(start);
    if (unit === OPEN_BRACE) return this.object(start, depth + 1, depthMax);
    if (unit === OPEN_BRACKET) return this.#array(start, depth + 1, depthMax);
    if (unit === MINUS || (unit >= ZERO && unit <= NINE)) return this.#number(start);
    for (const word of LITERALS) if (this.text.startsWith(word, start)) return start + word.length;
    return GIVEN_UP;
  }

  /** Passes over an object. */
  protected object(start: number, depth: number, depthMax: number): number {
    if (depth > depthMax) return GIVEN_UP;
    const names = this.namesEnd;
    for (let at = this.open(start); at !== GIVEN_UP; at = this.next(at)) {
      if (this.units[at] === CLOSE_BRACE) {
        this.namesEnd = names;
        return at + 1;
      }
      const begin = this.#name(at, names);
      if (begin === GIVEN_UP) return GIVEN_UP;
      at = this.value(begin, depth, depthMax);
    }
    return GIVEN_UP;
  }

  /** Passes over metadata and takes what is wanted of it. */
  protected metadata(start: number, depth: number, depthMax: number): number {
    const { units, named } = this;
    for (let number = 0; number < named.length; number += 1) named[number] = '';
    const names = this.namesEnd;
    for (let at = this.open(start); at !== GIVEN_UP; at = this.next(at)) {
      if (units[at] === CLOSE_BRACE) {
        this.namesEnd = names;
        return at + 1;
      }
      const from = at + 1;
      const begin = this.#name(at, names);
      if (begin === GIVEN_UP) return GIVEN_UP;
      const member = this.#members.get(this.sum);
      at = this.value(begin, depth, depthMax);
      if (at === GIVEN_UP) return GIVEN_UP;
      if (member === undefined) continue;
      // Another name of this sum is seldom enough.
      if (!member.word.standsAt(units, from) || !this.#takeText(member, begin, at)) return GIVEN_UP;
    }
    return GIVEN_UP;
  }

  /** Takes a member of the metadata that has to be a text; false when it is none. */
  #takeText({ number, choices }: Member, begin: number, end: number): boolean {
    if (this.units[begin] !== QUOTE || this.isEscaped) return false;
    if (choices !== undefined) return choices.some((choice) => choice.standsAt(this.units, begin + 1));
    if (number >= 0) this.named[number] = this.text.slice(begin + 1, end - 1);
    return end - begin - 2 <= metadataValueLengthMax;
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

  /**
   * Passes over the name of a member, up to its value, and notes its sum. A name that the object has already, from `names` on,
   * or that is not accepted, makes it give up.
   */
  #name(start: number, names: number): number {
    const units = this.units;
    let at = start + 1;
    let sum = 0;
    for (let unit = units[at]!; unit !== QUOTE; unit = units[at]!) {
      if (unit < SPACE || unit === BACKSLASH) return GIVEN_UP;
      sum = (Math.imul(sum, 31) + unit) | 0;
      at += 1;
    }
    this.sum = sum;
    if (!this.isNew(names, sum)) return GIVEN_UP;
    return this.colon(at + 1);
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

  /** Whether an object that is open, from `first` on, may take a name and has it not yet; notes it. */
  protected isNew(first: number, sum: number): boolean {
    const names = this.#names;
    const end = this.namesEnd;
    if (sum === PROTO || end - first === NAMES_MAX) return false;
    for (let index = first; index < end; index += 1) if (names[index] === sum) return false;
    if (end === names.length) {
      this.#names = new Int32Array(end * 2);
      this.#names.set(names);
    }
    this.#names[end] = sum;
    this.namesEnd = end + 1;
    return true;
  }
}

function sumOf(name: string): number {
  let sum = 0;
  for (let index = 0; index < name.length; index += 1)
    sum = (Math.imul(sum, 31) + name.charCodeAt(index)) | 0;
  return sum;
}

/** A name that is not accepted. */
const PROTO = sumOf('__proto__');
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
