import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { Faults } from './faults.ts';

/**
 * What JSON text holds that a parsed value no longer shows.
 *
 * JSON.parse keeps the last of two equal member names, rounds 12345678901234567890 and turns 1e400 into Infinity,
 * all without a word. Stele stores the text it was sent, so it refuses what would be read back as something else,
 * and it needs to know where in the text each member stands, to splice it into storage without stringifying.
 *
 * The walk runs over text that JSON.parse has already accepted, so it checks no syntax. It is on the path of
 * every append: strings without a backslash are skipped by indexOf, and plain numbers of up to 15 digits, which
 * a double always gives back, are accepted by length alone.
 */
export interface JsonNode {
  /** Offsets into the text, in UTF-16 units; `end` is exclusive. */
  start: number;
  end: number;
  members?: { key: string; value: JsonNode }[];
  items?: JsonNode[];
}

export interface InspectedJson {
  value: unknown;
  /** The outermost levels of the text, as deep as the caller asked for. */
  root: JsonNode;
  /** The text, freed of line breaks and tabs between tokens, so that it stays one line in NDJSON and SSE. */
  text: string;
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const COMMA = 44;
const SPACE = 32;

/**
 * Parses JSON and refuses what could not be given back value for value.
 *
 * @param spanDepth how many levels of `root` to build: 1 names the members of the outermost object.
 * @param options.depthMax how deep objects and arrays may be nested.
 * @param options.faults where to put what is refused, for callers who look for more; thrown when absent.
 * @throws StoreError VALIDATION_FAILED for bad syntax, duplicate members, `__proto__` and nesting above the
 *   bound; UNSTORABLE for numbers that a double changes, NUL characters and lone surrogates.
 */
export function inspectJson(
  raw: string,
  spanDepth: number,
  { depthMax = LIMITS.jsonDepthMax, faults }: { depthMax?: number; faults?: Faults } = {},
): InspectedJson {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable';
    throw new StoreError('VALIDATION_FAILED', 'The body is not valid JSON.', {
      faults: [{ pointer: '', detail: reason.slice(0, 200) }],
    });
  }
  // Three searches for one character each: an expression looks at every character of a batch by itself.
  const isOneLine = !raw.includes('\n') && !raw.includes('\r') && !raw.includes('\t');
  const text = isOneLine ? raw : raw.replace(/[\n\r\t]+/g, '');
  const found = faults ?? new Faults();
  const root = new Walker(text, { spanDepth, depthMax, faults: found }).walk();
  if (faults === undefined && !found.none) throw found.error();
  return { value, root, text };
}

class Walker {
  readonly #text: string;
  readonly #spanDepth: number;
  readonly #depthMax: number;
  readonly #faults: Faults;
  readonly #path: (string | number)[] = [];
  #at = 0;
  /** Offset of the first backslash at or after `#at`; the length of the text when there is none. */
  #nextBackslash: number;

  constructor(
    text: string,
    { spanDepth, depthMax, faults }: { spanDepth: number; depthMax: number; faults: Faults },
  ) {
    this.#text = text;
    this.#spanDepth = spanDepth;
    this.#depthMax = depthMax;
    this.#faults = faults;
    this.#nextBackslash = this.#findBackslash(0);
  }

  walk(): JsonNode {
    this.#skipSpace();
    return this.#value(0);
  }

  #value(depth: number): JsonNode {
    const start = this.#at;
    const code = this.#text.charCodeAt(start);
    if (code === QUOTE) {
      this.#string();
    } else if (code === OPEN_BRACE) {
      return this.#object(depth + 1);
    } else if (code === OPEN_BRACKET) {
      return this.#array(depth + 1);
    } else {
      this.#scalar(start, code);
    }
    return { start, end: this.#at };
  }

  #object(depth: number): JsonNode {
    if (depth > this.#depthMax) return this.#tooDeep();
    const node: JsonNode = { start: this.#at, end: 0 };
    const members: { key: string; value: JsonNode }[] = [];
    const keys: string[] = [];
    let seen: Set<string> | undefined;
    this.#at += 1;
    this.#skipSpace();
    while (this.#text.charCodeAt(this.#at) !== CLOSE_BRACE) {
      const keyStart = this.#at;
      const escaped = this.#string();
      const key = escaped
        ? (JSON.parse(this.#text.slice(keyStart, this.#at)) as string)
        : this.#text.slice(keyStart + 1, this.#at - 1);
      this.#path.push(key);
      if (key === '__proto__') this.#refuse('VALIDATION_FAILED', 'is a member name that is not accepted');
      if (seen === undefined ? keys.includes(key) : seen.has(key)) {
        this.#refuse('VALIDATION_FAILED', 'stands twice in one object');
      }
      keys.push(key);
      // A list is faster than a set while it is short.
      if (seen !== undefined) seen.add(key);
      else if (keys.length > 8) seen = new Set(keys);
      this.#skipSpace();
      this.#at += 1; // the colon
      this.#skipSpace();
      const value = this.#value(depth);
      if (depth <= this.#spanDepth) members.push({ key, value });
      this.#path.pop();
      this.#skipSpace();
      if (this.#text.charCodeAt(this.#at) === COMMA) {
        this.#at += 1;
        this.#skipSpace();
      }
    }
    this.#at += 1;
    node.end = this.#at;
    if (depth <= this.#spanDepth) node.members = members;
    return node;
  }

  #array(depth: number): JsonNode {
    if (depth > this.#depthMax) return this.#tooDeep();
    const node: JsonNode = { start: this.#at, end: 0 };
    const items: JsonNode[] = [];
    this.#at += 1;
    this.#skipSpace();
    for (let index = 0; this.#text.charCodeAt(this.#at) !== CLOSE_BRACKET; index += 1) {
      this.#path.push(index);
      const value = this.#value(depth);
      if (depth <= this.#spanDepth) items.push(value);
      this.#path.pop();
      this.#skipSpace();
      if (this.#text.charCodeAt(this.#at) === COMMA) {
        this.#at += 1;
        this.#skipSpace();
      }
    }
    this.#at += 1;
    node.end = this.#at;
    if (depth <= this.#spanDepth) node.items = items;
    return node;
  }

  /** Moves past a string; true when it holds an escape. */
  #string(): boolean {
    const start = this.#at;
    const close = this.#text.indexOf('"', start + 1);
    if (this.#nextBackslash < start) this.#nextBackslash = this.#findBackslash(start);
    if (close < this.#nextBackslash) {
      this.#at = close + 1;
      return false;
    }
    let at = this.#nextBackslash;
    for (;;) {
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) break;
      at = code === BACKSLASH ? this.#escape(at) : at + 1;
    }
    this.#at = at + 1;
    return true;
  }

  /** Checks one escape and gives the offset after it. */
  #escape(at: number): number {
    if (this.#text[at + 1] !== 'u') return at + 2;
    const unit = Number.parseInt(this.#text.slice(at + 2, at + 6), 16);
    if (unit === 0) this.#refuse('UNSTORABLE', 'holds a NUL character');
    if (unit >= 0xdc00 && unit <= 0xdfff) this.#refuse('UNSTORABLE', 'holds a lone surrogate');
    if (unit < 0xd800 || unit > 0xdbff) return at + 6;
    const low = this.#text.startsWith('\\u', at + 6)
      ? Number.parseInt(this.#text.slice(at + 8, at + 12), 16)
      : 0;
    if (low >= 0xdc00 && low <= 0xdfff) return at + 12;
    this.#refuse('UNSTORABLE', 'holds a lone surrogate');
    return at + 6;
  }

  /** Moves past a number, `true`, `false` or `null`. */
  #scalar(start: number, first: number): void {
    let at = start;
    for (let code = first; !isDelimiter(code); code = this.#text.charCodeAt(at)) at += 1;
    this.#at = at;
    const isNumber = first === 45 || (first >= 48 && first <= 57);
    if (!isNumber) return;
    const token = this.#text.slice(start, at);
    if (!isExact(token)) {
      this.#refuse('UNSTORABLE', `is a number that cannot be stored exactly: ${token.slice(0, 40)}`);
    }
  }

  #skipSpace(): void {
    while (this.#text.charCodeAt(this.#at) === SPACE) this.#at += 1;
  }

  #findBackslash(from: number): number {
    const found = this.#text.indexOf('\\', from);
    return found === -1 ? this.#text.length : found;
  }

  /** Goes on behind an object or array that is too deep, without a call for each level: there may be a million. */
  #tooDeep(): JsonNode {
    const start = this.#at;
    this.#refuse('VALIDATION_FAILED', `is nested deeper than ${this.#depthMax} levels`);
    let open = 0;
    do {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) {
        this.#string();
        continue;
      }
      if (code === OPEN_BRACE || code === OPEN_BRACKET) open += 1;
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) open -= 1;
      this.#at += 1;
    } while (open > 0);
    return { start, end: this.#at };
  }

  #refuse(code: 'VALIDATION_FAILED' | 'UNSTORABLE', detail: string): void {
    this.#faults.add(this.#path, detail, code);
  }
}

function isDelimiter(code: number): boolean {
  // NaN is past the end of the text.
  return (
    code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET || code === SPACE || Number.isNaN(code)
  );
}

/** True when the shortest decimal of the parsed double has the value of the text. */
export function isExact(token: string): boolean {
  // 15 significant digits survive the way through a double and back (DBL_DIG).
  if (token.length <= 15 && !token.includes('e') && !token.includes('E')) return true;
  const parsed = Number(token);
  if (!Number.isFinite(parsed)) return false;
  const left = decimal(token);
  const right = decimal(String(parsed));
  return left.digits === right.digits && (left.digits === '' || left.exponent === right.exponent);
}

/** A decimal as its significant digits (sign kept, zeros stripped) and the power of ten of the last one. */
function decimal(token: string): { digits: string; exponent: number } {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token);
  if (match === null) return { digits: 'NaN', exponent: 0 };
  const [, sign = '', whole = '', fraction = '', power = '0'] = match;
  const all = (whole + fraction).replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return { digits: '', exponent: 0 };
  return { digits: sign + digits, exponent: Number(power) - fraction.length + (all.length - digits.length) };
}
