import type { TSchema } from '@sinclair/typebox';
import type { ValueError, ValueErrorIterator } from '@sinclair/typebox/compiler';
import { type Fault, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { isTextSchema } from './text.ts';

type FaultCode = 'VALIDATION_FAILED' | 'UNSTORABLE';
type Path = readonly (string | number)[];

/**
 * What is wrong with a request, place by place: whoever sent it should learn of everything at once. The first fault
 * decides on the code. Past `faultsMax` nothing more is looked for: a hostile body would make it expensive.
 */
export class Faults {
  readonly #where: string;
  /** Made for the first fault: most requests have none. */
  #found: Map<string, Fault> | undefined;
  #code: FaultCode = 'VALIDATION_FAILED';

  constructor(where = 'body') {
    this.#where = where;
  }

  get none(): boolean {
    return this.#found === undefined;
  }

  get all(): readonly Fault[] {
    return [...(this.#found?.values() ?? [])];
  }

  /** Adds those of a part that stands at `pointer`. @throws StoreError as `add`. */
  addThoseOf(part: Faults, pointer: string): void {
    for (const fault of part.all) this.#add({ ...fault, pointer: pointer + fault.pointer }, part.#code);
  }

  /** @throws StoreError with all of them when they are as many as are told. */
  add(path: Path, detail: string, code: FaultCode = 'VALIDATION_FAILED'): void {
    this.#add({ pointer: toPointer(path), detail }, code);
  }

  /** The same with a pointer, or another name of a place. */
  addAt(pointer: string, detail: string, code: FaultCode = 'VALIDATION_FAILED'): void {
    this.#add({ pointer, detail }, code);
  }

  /** Adds what a schema found. @throws StoreError as `add`. */
  addErrors(errors: ValueErrorIterator): void {
    for (const error of errors) {
      for (const fault of faultsOf(error)) this.#add(fault, 'VALIDATION_FAILED');
    }
  }

  /** They all as one error. */
  error(): StoreError {
    const faults = this.all;
    const [first] = faults;
    const place = first === undefined ? '' : `: ${first.pointer || 'it'} ${first.detail}`;
    const problem = this.#code === 'UNSTORABLE' ? 'cannot be stored as it is' : 'is not valid';
    return new StoreError(this.#code, `The ${this.#where} ${problem}${place}.`, { faults });
  }

  /** One fault a place: what a schema says of a missing member is also that it is no text. */
  #add(fault: Fault, code: FaultCode): void {
    if (this.#found === undefined) {
      this.#found = new Map();
      this.#code = code;
    }
    if (this.#found.has(fault.pointer)) return;
    this.#found.set(fault.pointer, fault);
    if (this.#found.size >= LIMITS.faultsMax) throw this.error();
  }
}

/** The faults that a schema found, as one error. */
export function invalid(errors: ValueErrorIterator): StoreError {
  const faults = new Faults();
  try {
    faults.addErrors(errors);
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  return faults.error();
}

/** JSON Pointer (RFC 6901) of a path. Over-long paths of hostile documents are cut. */
export function toPointer(path: Path): string {
  const pointer = path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return pointer.length > 300 ? `${pointer.slice(0, 300)}…` : pointer;
}

/**
 * An error of a schema in words. Where a value may be one of several forms, the errors are those of the form that it
 * seems to be meant as: `["a", 5]` is a list of texts with a fault at 1.
 */
export function faultsOf(error: ValueError): Fault[] {
  const { schema, path: pointer, value } = error;
  const forms: readonly TSchema[] = schema['anyOf'] ?? [];
  const meant = forms.findIndex((form) => form['type'] === typeOf(value) && !('const' in form));
  if (meant !== -1 && forms.length > 1) {
    const inner = [...(error.errors[meant] ?? [])].flatMap(faultsOf);
    // Of texts there may be several forms, and nobody can tell which one was meant.
    const isOnly = forms.filter((form) => form['type'] === typeOf(value)).length === 1;
    if (isOnly && inner.length > 0) return inner;
  }
  return [{ pointer, detail: describe(error) }];
}

function describe({ schema, message }: ValueError): string {
  if ('anyOf' in schema) return `must be ${formOf(schema)}`;
  if (schema['pattern'] !== undefined) return `must match ${schema['pattern']}`;
  if (isTextSchema(schema)) return `must be ${formOf(schema)}`;
  return message.charAt(0).toLowerCase() + message.slice(1);
}

/** What a value may be, for people. */
function formOf(schema: TSchema): string {
  const { anyOf, const: constant, type, pattern, items } = schema;
  if (Array.isArray(anyOf)) return anyOf.map(formOf).join(' or ');
  if (constant !== undefined) return JSON.stringify(constant);
  if (pattern !== undefined) return `a text that matches ${pattern}`;
  if (type === 'string') return `a text${bounds(schema['minLength'], schema['maxLength'], 'characters')}`;
  if (type === 'array') {
    return `a list${bounds(schema['minItems'], schema['maxItems'], 'elements')}, each of them ${formOf(items)}`;
  }
  return type === 'null' ? 'null' : type === undefined ? 'of another form' : `of the type ${type}`;
}

function bounds(min: number | undefined, max: number | undefined, what: string): string {
  if (max === undefined) return min === undefined ? '' : ` of at least ${min} ${what}`;
  return ` of ${min === undefined ? 'at most ' : `${min} to `}${max} ${what}`;
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}
