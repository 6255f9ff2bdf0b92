/**
 * JSON read the slow way: every number by its decimal value, every member seen, every fault named.
 *
 * It is the oracle for "what is stored is what is read": two texts mean the same when their canonical forms are
 * equal, and a text may be refused only for a fault that stands in it.
 */
export type JsonFault = 'syntax' | 'duplicate' | 'proto' | 'depth' | 'inexact' | 'nul' | 'surrogate';

export interface ExactJson {
  readonly faults: ReadonlySet<JsonFault>;
  /** Members sorted, numbers as digits and exponent; undefined when the text is no JSON at all. */
  readonly canonical: string | undefined;
  /** The members of the outermost object, each in canonical form. */
  readonly members: ReadonlyMap<string, string>;
}

const DEPTH_READ_MAX = 500;

/** @param depthMax how deep objects and arrays may be nested before that is a fault. */
export function exactJson(text: string, depthMax = 64): ExactJson {
  const reader = new Reader(text, depthMax);
  try {
    const canonical = reader.document();
    return { faults: reader.faults, canonical, members: reader.members };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { faults: new Set([...reader.faults, 'syntax']), canonical: undefined, members: new Map() };
  }
}

class Reader {
  readonly faults = new Set<JsonFault>();
  members: ReadonlyMap<string, string> = new Map();
  readonly #text: string;
  readonly #depthMax: number;
  #at = 0;

  constructor(text: string, depthMax: number) {
    this.#text = text;
    this.#depthMax = depthMax;
  }

  document(): string {
    const canonical = this.#value(1);
    this.#space();
    if (this.#at < this.#text.length) throw new SyntaxError('more than one value');
    return canonical;
  }

  #value(depth: number): string {
    this.#space();
    const rest = this.#text[this.#at];
    if (rest === '{') return this.#object(depth);
    if (rest === '[') return this.#array(depth);
    if (rest === '"') return JSON.stringify(this.#string());
    for (const word of ['true', 'false', 'null']) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return word;
      }
    }
    return this.#number();
  }

  #object(depth: number): string {
    this.#enter(depth);
    const members = new Map<string, string>();
    this.#at += 1;
    this.#space();
    while (this.#text[this.#at] !== '}') {
      if (members.size > 0) this.#expect(',');
      this.#space();
      if (this.#text[this.#at] !== '"') throw new SyntaxError('a member has no name');
      const key = this.#string();
      if (key === '__proto__') this.faults.add('proto');
      if (members.has(key)) this.faults.add('duplicate');
      this.#space();
      this.#expect(':');
      members.set(key, this.#value(depth + 1));
      this.#space();
    }
    this.#at += 1;
    if (depth === 1) this.members = members;
    const sorted = [...members].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
  }

  #array(depth: number): string {
    this.#enter(depth);
    const items: string[] = [];
    this.#at += 1;
    this.#space();
    while (this.#text[this.#at] !== ']') {
      if (items.length > 0) this.#expect(',');
      items.push(this.#value(depth + 1));
      this.#space();
    }
    this.#at += 1;
    return `[${items.join(',')}]`;
  }

  #string(): string {
    const start = this.#at;
    this.#at += 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char < ' ') throw new SyntaxError('a string does not end');
      if (char === '"') break;
      this.#at += char === '\\' ? 2 : 1;
    }
    this.#at += 1;
    const value = JSON.parse(this.#text.slice(start, this.#at)) as string;
    if (value.includes('\0')) this.faults.add('nul');
    if (/\p{Surrogate}/u.test(value)) this.faults.add('surrogate');
    return value;
  }

  #number(): string {
    const match = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/.exec(
      this.#text.slice(this.#at, this.#at + 2000),
    );
    if (match === null) throw new SyntaxError('no value');
    this.#at += match[0].length;
    const value = decimal(match[0]);
    const double = Number(match[0]);
    if (!Number.isFinite(double) || decimal(String(double)) !== value) this.faults.add('inexact');
    return value;
  }

  #enter(depth: number): void {
    if (depth > DEPTH_READ_MAX) throw new SyntaxError('deeper than is read here');
    if (depth > this.#depthMax) this.faults.add('depth');
  }

  #expect(char: string): void {
    if (this.#text[this.#at] !== char) throw new SyntaxError(`no ${char}`);
    this.#at += 1;
  }

  #space(): void {
    while (' \n\r\t'.includes(this.#text[this.#at] ?? 'x')) this.#at += 1;
  }
}

/** A number by its value: `1e2`, `100` and `100.0` give the same. */
function decimal(token: string): string {
  const [mantissa = '', power = '0'] = token.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') return '0';
  const exponent = BigInt(power) - BigInt(fraction.length) + BigInt(digits.length - kept.length);
  return `${token.startsWith('-') ? '-' : ''}${kept}e${exponent}`;
}
