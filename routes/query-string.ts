import type { Static, TObject, TSchema } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { type Fault, StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { faultsOf } from '../src/model/faults.ts';
import { inspectJson } from '../src/model/json-text.ts';

/**
 * Query strings, read strictly by the TypeBox schema of a route.
 *
 * A query string is text, so something has to be parsed: whole numbers from decimal digits, `true` and `false`,
 * repeated keys to arrays. Nothing else is. `limit=0x10`, `limit=1e2`, a scalar that is given twice, a comma list
 * and a parameter that the route does not know are refused, each with the pointer `?name`; frameworks make 16,
 * 100, an array, one odd value and silence of them.
 *
 * How a parameter is read follows from its schema:
 *
 * | schema | text |
 * |---|---|
 * | Integer | decimal digits, perhaps with a minus |
 * | Boolean | `true` or `false` |
 * | Array of strings | one value for each time the key is given |
 * | Array of objects | JSON, once: `items=[{"types":["A"]}]` |
 * | Record | `tags=issueId:42`, once for each pair, split at the first colon |
 * | anything else | the text itself, once |
 */
type Reading = 'text' | 'integer' | 'boolean' | 'list' | 'json' | 'pairs';

interface Parser {
  readonly check: TypeCheck<TSchema>;
  readonly readings: ReadonlyMap<string, Reading>;
}

const parsers = new WeakMap<TSchema, Parser>();

const INTEGER = /^-?(?:0|[1-9]\d{0,15})$/;

/**
 * Parses the part of a URL behind the question mark. Defaults of the schema are not filled in.
 *
 * @throws StoreError VALIDATION_FAILED with every fault.
 */
export function parseQuery<T extends TObject>(schema: T, query: string): Static<T> {
  const parser = parserOf(schema);
  const faults: Fault[] = [];
  const values = read(parser, collect(query, faults), faults);
  if (faults.length === 0 && !parser.check.Check(values)) {
    for (const error of parser.check.Errors(values)) {
      for (const { detail } of faultsOf(error)) addOnce(faults, toParameter(error.path), detail);
    }
  }
  if (faults.length > 0) throw refuse(faults);
  return values as Static<T>;
}

/** The part of a request's URL behind the question mark, undecoded; empty when there is none. */
export function rawQuery(url: string | undefined): string {
  const mark = url?.indexOf('?') ?? -1;
  return url === undefined || mark === -1 ? '' : url.slice(mark + 1);
}

/** Runs code that points at members of a body, such as `compileFilter`, over what came in a query string. */
export function inQuery<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof StoreError) || error.faults === undefined) throw error;
    const faults: Fault[] = [];
    for (const { pointer, detail } of error.faults) addOnce(faults, toParameter(pointer), detail);
    throw refuse(faults);
  }
}

function parserOf(schema: TObject): Parser {
  const known = parsers.get(schema);
  if (known !== undefined) return known;
  const readings = new Map<string, Reading>();
  for (const [name, property] of Object.entries(schema.properties)) readings.set(name, readingOf(property));
  const parser: Parser = { check: TypeCompiler.Compile(schema), readings };
  parsers.set(schema, parser);
  return parser;
}

function readingOf(schema: TSchema): Reading {
  if (schema['type'] === 'integer') return 'integer';
  if (schema['type'] === 'boolean') return 'boolean';
  if (schema['type'] === 'object') return 'pairs';
  if (schema['type'] !== 'array') return 'text';
  const items: unknown = schema['items'];
  const isObject = typeof items === 'object' && items !== null && 'type' in items && items.type === 'object';
  return isObject ? 'json' : 'list';
}

/** Splits and decodes the pairs; keys keep their order and all their values. */
function collect(query: string, faults: Fault[]): Map<string, string[]> {
  const pairs = new Map<string, string[]>();
  if (query === '') return pairs;
  for (const piece of query.split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = decode(equals === -1 ? piece : piece.slice(0, equals));
    const value = decode(equals === -1 ? '' : piece.slice(equals + 1));
    if (name === undefined || value === undefined) {
      faults.push({ pointer: `?${shorten(name ?? piece)}`, detail: 'is not percent-encoded UTF-8' });
      continue;
    }
    if (value.includes('\u0000')) {
      faults.push({ pointer: `?${shorten(name)}`, detail: 'holds a NUL character' });
      continue;
    }
    const values = pairs.get(name);
    if (values === undefined) pairs.set(name, [value]);
    else values.push(value);
  }
  return pairs;
}

function read(parser: Parser, pairs: Map<string, string[]>, faults: Fault[]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, values] of pairs) {
    const pointer = `?${shorten(name)}`;
    const reading = parser.readings.get(name);
    const first = values[0] ?? '';
    if (reading === undefined) {
      faults.push({ pointer, detail: 'is not a parameter of this route' });
    } else if (reading === 'list') {
      result[name] = values;
    } else if (reading === 'pairs') {
      const tags = readPairs(values);
      if (typeof tags === 'string') faults.push({ pointer, detail: tags });
      else result[name] = tags;
    } else if (values.length > 1) {
      faults.push({ pointer, detail: 'is given more than once' });
    } else if (reading === 'integer') {
      if (INTEGER.test(first)) result[name] = Number(first);
      else faults.push({ pointer, detail: 'is not a whole number in decimal digits' });
    } else if (reading === 'boolean') {
      if (first === 'true' || first === 'false') result[name] = first === 'true';
      else faults.push({ pointer, detail: 'is neither true nor false' });
    } else if (reading === 'json') {
      readJson(name, first, result, faults);
    } else {
      result[name] = first;
    }
  }
  return result;
}

/** `issueId:42` pairs as the object that a body would hold, or what is wrong with them. */
function readPairs(values: readonly string[]): Record<string, string | string[]> | string {
  const tags = new Map<string, string[]>();
  for (const value of values) {
    const colon = value.indexOf(':');
    if (colon === -1) return 'is not a pair of key and value with a colon between them';
    const key = value.slice(0, colon);
    tags.set(key, [...(tags.get(key) ?? []), value.slice(colon + 1)]);
  }
  const entries = [...tags].map(([key, list]) => [key, list.length === 1 ? list[0] : list] as const);
  return Object.fromEntries(entries) as Record<string, string | string[]>;
}

function readJson(name: string, text: string, result: Record<string, unknown>, faults: Fault[]): void {
  try {
    result[name] = inspectJson(text, 0).value;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    for (const { detail } of error.faults ?? []) addOnce(faults, `?${name}`, detail);
  }
}

function decode(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** `/eventIds/0` → `?eventIds`. */
function toParameter(pointer: string): string {
  return `?${pointer.split('/')[1] ?? ''}`;
}

function shorten(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}

/** A parameter is told once, whatever is wrong inside of it. */
function addOnce(faults: Fault[], pointer: string, detail: string): void {
  if (!faults.some((known) => known.pointer === pointer)) faults.push({ pointer, detail });
}

function refuse(found: readonly Fault[]): StoreError {
  const faults = found.slice(0, LIMITS.faultsMax);
  const first = faults[0];
  const place = first === undefined ? '' : `: ${first.pointer} ${first.detail}`;
  return new StoreError('VALIDATION_FAILED', `The query string is not valid${place}.`, { faults });
}
