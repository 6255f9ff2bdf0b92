import type { JsonSchema } from './event-type.ts';
import { isMembers } from './schema-document.ts';
import { referred } from './schema-parts.ts';

/**
 * JSON Schema as a type of TypeScript: what of a schema a compiler can check. Bounds, patterns and formats are left to
 * the service; whatever else is not understood becomes `unknown`, which is never wrong.
 *
 * Written here and not taken from json-schema-to-typescript, the library for it: that brings a formatter, a resolver
 * of remote references and a dozen more packages to every installation of the service, makes of an open object one
 * that the types of the client do not take, and cannot be told that a tag which the service fills in may be left out.
 */
export interface TypeScope {
  /** The whole schema, which local references point into. */
  readonly root: JsonSchema;
  /** The type of a tag, where the schema is of tags: of one that it does not name, or says nothing of. */
  readonly tagValue?: string | undefined;
  /** Members of the outermost object that may be left out though the schema requires them. */
  readonly filledIn?: ReadonlySet<string> | undefined;
}

/** The type of what a schema accepts, with the lines after the first indented. */
export function typescriptType(scope: TypeScope, indent = ''): string {
  return new TypeWriter(scope).type(scope.root, { indent, isOutermost: true, references: [] }).text;
}

/** A text in single quotes. */
export function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** A comment, in lines of a readable length. */
export function comment(text: string, indent = ''): string {
  const lines = text
    .replaceAll('*/', '*\\/')
    .trim()
    .split('\n')
    .flatMap((line) => wrapped(line, LINE_LENGTH_MAX - indent.length));
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  const body = lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n');
  return `${indent}/**\n${body}\n${indent} */\n`;
}

const LINE_LENGTH_MAX = 100;

function wrapped(line: string, lengthMax: number): string[] {
  const lines = [''];
  for (const word of line.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > lengthMax) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

interface Place {
  readonly indent: string;
  readonly isOutermost: boolean;
  /** References that were followed to get here: one that leads back to itself ends in `unknown`. */
  readonly references: readonly string[];
}

/** The text of a type, and what joins its parts where they are not in brackets. */
interface Written {
  readonly text: string;
  readonly joint?: '|' | '&';
}

const UNKNOWN: Written = { text: 'unknown' };
const NEVER: Written = { text: 'never' };
const SIMPLE: Readonly<Record<string, Written>> = {
  string: { text: 'string' },
  number: { text: 'number' },
  integer: { text: 'number' },
  boolean: { text: 'boolean' },
  null: { text: 'null' },
};

class TypeWriter {
  readonly #scope: TypeScope;

  constructor(scope: TypeScope) {
    this.#scope = scope;
  }

  type(schema: unknown, place: Place): Written {
    if (schema === false) return NEVER;
    return isMembers(schema) ? intersectionOf([...this.#parts(schema, place)]) : UNKNOWN;
  }

  /** What the keywords of a schema say one by one; all of it holds. */
  *#parts(schema: Readonly<Record<string, unknown>>, place: Place): Generator<Written> {
    const { $ref: reference, allOf, anyOf, oneOf, enum: choices } = schema;
    if (typeof reference === 'string') yield this.#referred(reference, place);
    if ('const' in schema) yield literal(schema['const']);
    else if (Array.isArray(choices)) yield unionOf(choices.map(literal));
    else yield this.#typed(schema, place);
    if (Array.isArray(allOf)) for (const part of allOf) yield this.type(part, place);
    for (const forms of [anyOf, oneOf]) {
      if (Array.isArray(forms)) yield unionOf(forms.map((form) => this.type(form, place)));
    }
  }

  #referred(reference: string, place: Place): Written {
    if (place.references.includes(reference)) return UNKNOWN;
    const references = [...place.references, reference];
    return this.type(referred(this.#scope.root, reference), { ...place, references });
  }

  #typed(schema: Readonly<Record<string, unknown>>, place: Place): Written {
    const { type } = schema;
    const isObject = ['properties', 'required', 'patternProperties'].some((keyword) => keyword in schema);
    const types = Array.isArray(type) ? type : [type ?? (isObject ? 'object' : undefined)];
    return unionOf(
      types.map((one) => {
        if (one === 'object') return this.#object(schema, place);
        if (one === 'array') return { text: this.#array(schema, place) };
        return SIMPLE[String(one)] ?? UNKNOWN;
      }),
    );
  }

  #array(schema: Readonly<Record<string, unknown>>, place: Place): string {
    const inner = { ...place, isOutermost: false };
    const { prefixItems: first, items } = schema;
    // The client declares the values of a tag as a list that may be changed.
    const modifier = this.#scope.tagValue === undefined ? 'readonly ' : '';
    const rest = this.type(items ?? true, inner);
    const list = `${bracketed(rest)}[]`;
    if (!Array.isArray(first)) return modifier + list;
    const elements = first.map((item) => `(${this.type(item, inner).text})?`);
    return `${modifier}[${[...elements, ...(items === false ? [] : [`...${list}`])].join(', ')}]`;
  }

  #object(schema: Readonly<Record<string, unknown>>, place: Place): Written {
    const properties = isMembers(schema['properties']) ? schema['properties'] : {};
    const required = Array.isArray(schema['required']) ? schema['required'].map(String) : [];
    const names = [...new Set([...Object.keys(properties), ...required])];
    const inner = { ...place, indent: `${place.indent}  `, isOutermost: false };
    const members = names.map((name) => {
      const { description } = Object(properties[name] ?? {}) as { description?: unknown };
      const note = typeof description === 'string' ? comment(description, inner.indent) : '';
      const mayLack = place.isOutermost && this.#scope.filledIn?.has(name) === true;
      const mark = required.includes(name) && !mayLack ? '' : '?';
      const type = this.type(properties[name] ?? true, inner).text;
      const told = type === 'unknown' ? (this.#scope.tagValue ?? type) : type;
      return `${note}${inner.indent}readonly ${isName(name) ? name : quoted(name)}${mark}: ${told};\n`;
    });
    const others = this.#others(schema, inner);
    const index = `readonly [name: string]: ${others ?? 'never'};`;
    if (members.length === 0) return { text: `{ ${index} }` };
    if (others === 'unknown') {
      return { text: `{\n${members.join('')}${inner.indent}${index}\n${place.indent}}` };
    }
    const named = { text: `{\n${members.join('')}${place.indent}}` };
    // A named member need not be of the type of the others, which in one declaration it would have to.
    return others === undefined ? named : { text: `${named.text} & { ${index} }`, joint: '&' };
  }

  /** What a member with another name is; undefined where there can be none. */
  #others(schema: Readonly<Record<string, unknown>>, inner: Place): string | undefined {
    const { additionalProperties: rest, patternProperties } = schema;
    if (isMembers(patternProperties)) return 'unknown';
    if (rest === false) return undefined;
    if (rest !== undefined && rest !== true) return this.type(rest, inner).text;
    return this.#scope.tagValue ?? 'unknown';
  }
}

/** A literal of a JSON value that is a text, a number, a boolean or null; unknown for anything else. */
function literal(value: unknown): Written {
  if (typeof value === 'string') return { text: quoted(value) };
  return typeof value === 'object' && value !== null ? UNKNOWN : { text: JSON.stringify(value) };
}

function unionOf(types: readonly Written[]): Written {
  const distinct = distinctOf(types).filter((type) => type.text !== 'never');
  if (distinct.some(({ text }) => text === 'unknown')) return UNKNOWN;
  const [first = NEVER, ...more] = distinct;
  if (more.length === 0) return first;
  const texts = distinct.map((type) => (type.joint === '&' ? bracketed(type) : type.text));
  return { text: texts.join(' | '), joint: '|' };
}

function intersectionOf(types: readonly Written[]): Written {
  if (types.some(({ text }) => text === 'never')) return NEVER;
  const [first = UNKNOWN, ...more] = distinctOf(types).filter(({ text }) => text !== 'unknown');
  if (more.length === 0) return first;
  const texts = [first, ...more].map((type) => (type.joint === '|' ? bracketed(type) : type.text));
  return { text: texts.join(' & '), joint: '&' };
}

function distinctOf(types: readonly Written[]): Written[] {
  return [...new Map(types.map((type) => [type.text, type])).values()];
}

function bracketed({ text, joint }: Written): string {
  return joint === undefined ? text : `(${text})`;
}

function isName(text: string): boolean {
  return /^[A-Za-z_$][\w$]*$/.test(text);
}
