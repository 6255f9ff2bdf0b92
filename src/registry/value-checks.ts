import { FORMAT_LENGTH_MAX, FORMATS } from './formats.ts';
import type { PatternTest } from './pattern.ts';
import type { SchemaObject } from './schema-document.ts';
import { isTypeName, type TypeName } from './schema-keywords.ts';
import type { Check, Run } from './validation-run.ts';

/** The checks of keywords that look at a value as a whole: its type, what it equals, numbers and texts. */
export function valueChecks(schema: SchemaObject, patternOf: (source: string) => PatternTest): Check[] {
  return [
    ...ofType(schema['type']),
    ...(Object.hasOwn(schema, 'const') ? [oneOfValues([schema['const']])] : []),
    ...(Array.isArray(schema['enum']) ? [oneOfValues(schema['enum'])] : []),
    ...ofNumbers(schema),
    ...ofTexts(schema, patternOf),
  ];
}

export function hasType(value: unknown, type: TypeName): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
    case 'string':
    case 'boolean':
      return typeof value === type;
    default:
      return type satisfies never;
  }
}

/** Of `type`, as a list. */
export function typesOf(type: unknown): readonly TypeName[] {
  return (Array.isArray(type) ? type : [type]).filter(isTypeName);
}

function ofType(type: unknown): Check[] {
  const types = typesOf(type);
  const [only] = types;
  if (only === undefined) return [];
  if (types.length === 1) {
    return [(value, run) => hasType(value, only) || run.fail(() => `is not ${withArticle(only)}`)];
  }
  const names = types.map(withArticle);
  const said = `is neither ${names.slice(0, -1).join(', ')} nor ${names.at(-1)}`;
  return [(value, run) => types.some((type) => hasType(value, type)) || run.fail(() => said)];
}

export function withArticle(type: TypeName): string {
  if (type === 'null') return 'null';
  return `${/^[aio]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** `enum` and `const`: texts, numbers and so on by a look into a set, whatever the length of the list. */
function oneOfValues(values: readonly unknown[]): Check {
  const plain = new Set(values.filter((value) => !isNested(value)));
  const nested = values.filter(isNested).map((value) => jsonKey(value, Number.MAX_SAFE_INTEGER) ?? '');
  const keys = new Set(nested);
  const lengthMax = Math.max(0, ...nested.map((key) => key.length));
  return (value, run) => {
    if (!isNested(value)) {
      if (plain.has(value)) return true;
    } else if (keys.size > 0) {
      const key = jsonKey(value, lengthMax);
      run.spend(key?.length ?? lengthMax);
      if (key !== undefined && keys.has(key)) return true;
    }
    return run.fail(() => `must be ${listed(values)}`);
  };
}

const isNested = (value: unknown) => typeof value === 'object' && value !== null;

/** Values in words, no more than one wants to read. */
function listed(values: readonly unknown[]): string {
  if (values.length === 0) return 'nothing: no value is allowed';
  const shown = values.slice(0, 10).map((value) => {
    const text = JSON.stringify(value);
    return text.length > 60 ? `${text.slice(0, 60)}…` : text;
  });
  return `${values.length === 1 ? '' : 'one of '}${shown.join(', ')}${values.length > shown.length ? `, … (${values.length} values)` : ''}`;
}

/**
 * A text that two values share if and only if they are equal as JSON: members sorted by name, numbers by value. Undefined where it
 * would be longer than `lengthMax`, found out on the way.
 */
export function jsonKey(value: unknown, lengthMax: number): string | undefined {
  const parts: string[] = [];
  let left = lengthMax;
  const add = (text: string): boolean => {
    parts.push(text);
    left -= text.length;
    return left >= 0;
  };
  const write = (value: unknown, depth: number): boolean => {
    if (depth > 1000) return false;
    if (Array.isArray(value)) {
      return add('[') && value.every((item) => write(item, depth + 1) && add(',')) && add(']');
    }
    if (typeof value !== 'object' || value === null) {
      // A text is at least as long as it is as JSON.
      if (typeof value === 'string' && value.length > left) return false;
      return add(JSON.stringify(value === 0 ? 0 : value));
    }
    const names: string[] = [];
    let length = 0;
    for (const name in value) {
      length += name.length + 3;
      if (length > left) return false;
      names.push(name);
    }
    return (
      add('{') &&
      names
        .sort()
        .every(
          (name) => add(`${JSON.stringify(name)}:`) && write(Reflect.get(value, name), depth + 1) && add(','),
        ) &&
      add('}')
    );
  };
  return write(value, 0) ? parts.join('') : undefined;
}

type Bound = readonly [keyword: string, holds: (value: number, bound: number) => boolean, detail: string];

const NUMBER_BOUNDS: readonly Bound[] = [
  ['minimum', (value, bound) => value >= bound, 'is less than'],
  ['maximum', (value, bound) => value <= bound, 'is greater than'],
  ['exclusiveMinimum', (value, bound) => value > bound, 'is not greater than'],
  ['exclusiveMaximum', (value, bound) => value < bound, 'is not less than'],
  ['multipleOf', isMultipleOf, 'is not a multiple of'],
];

function ofNumbers(schema: SchemaObject): Check[] {
  return NUMBER_BOUNDS.flatMap(([keyword, holds, detail]) => {
    const bound = schema[keyword];
    if (typeof bound !== 'number') return [];
    return [
      (value: unknown, run: Run) =>
        typeof value !== 'number' || holds(value, bound) || run.fail(() => `${detail} ${bound}`),
    ];
  });
}

/** In decimals, as people count: 19.99 is a multiple of 0.01, which the quotient of the doubles is not. */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const [a, b] = [decimal(value), decimal(divisor)];
  const exponent = Math.min(a.exponent, b.exponent);
  const scaled = ({ digits, exponent: own }: Decimal) => digits * 10n ** BigInt(own - exponent);
  return scaled(a) % scaled(b) === 0n;
}

interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** The shortest decimal that is read as this double. */
function decimal(value: number): Decimal {
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

function ofTexts(schema: SchemaObject, patternOf: (source: string) => PatternTest): Check[] {
  const checks: Check[] = [];
  const { minLength, maxLength, format, pattern } = schema;
  if (typeof minLength === 'number') {
    checks.push(
      (value, run) =>
        typeof value !== 'string' ||
        lengthOf(value, run) >= minLength ||
        run.fail(() => `is shorter than ${counted(minLength, 'character')}`),
    );
  }
  if (typeof maxLength === 'number') {
    checks.push(
      (value, run) =>
        typeof value !== 'string' ||
        lengthOf(value, run) <= maxLength ||
        run.fail(() => `is longer than ${counted(maxLength, 'character')}`),
    );
  }
  if (typeof format === 'string') {
    const hasFormat = FORMATS.get(format) ?? (() => true);
    checks.push((value, run) => {
      if (typeof value !== 'string' && typeof value !== 'number') return true;
      const length = typeof value === 'string' ? value.length : 0;
      run.spend(5 + Math.min(length, FORMAT_LENGTH_MAX) * 10);
      return (length <= FORMAT_LENGTH_MAX && hasFormat(value)) || run.fail(() => `is not a valid ${format}`);
    });
  }
  if (typeof pattern === 'string') {
    const compiled = patternOf(pattern);
    checks.push(
      (value, run) =>
        typeof value !== 'string' ||
        compiled.test(value, run) ||
        run.fail(() => `does not match ${pattern.slice(0, 200)}`),
    );
  }
  return checks;
}

/** In characters as people count them, not in the units of UTF-16. */
function lengthOf(text: string, run: Run): number {
  run.spend(text.length >> 3);
  let length = text.length;
  for (let i = 0; i < text.length - 1; i += 1) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length -= 1;
      i += 1;
    }
  }
  return length;
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
