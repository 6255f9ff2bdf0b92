import { escapeSegment } from '../model/json-value.ts';
import type { JsonSchema } from './event-type.ts';
import { LocalReferences } from './local-references.ts';
import { constraintsOf, isPlainUnion, typeName, valuesOf } from './schema-words.ts';
import { isSchema, isSchemaObject, type SchemaObject } from './subschemas.ts';

/**
 * A schema as a table for people: a row for each member of the value that it describes, however it is put together (references,
 * `allOf`, alternatives). What says the same gives the same rows, so two versions are compared by them.
 */
export interface SchemaRow {
  /** Where in the value, as a JSON Pointer: `*` stands for each item or any other name, `(1)` for the first of several forms. */
  readonly path: string;
  readonly depth: number;
  readonly name: string;
  /** A member of an object; one of several forms that the value may have; or a case that holds under a condition. */
  readonly kind: 'member' | 'form';
  readonly type: string;
  readonly isRequired: boolean;
  readonly isDeprecated: boolean;
  /** Each a few words, such as `1 to 255 characters`. */
  readonly constraints: readonly string[];
  /** The only values that are taken, as JSON texts; empty where any is. */
  readonly values: readonly string[];
  readonly description: string;
}

export interface SchemaTable {
  /** The value as a whole. */
  readonly root: SchemaRow;
  readonly rows: readonly SchemaRow[];
  /** There would be more rows than anybody reads. */
  readonly isCut: boolean;
}

/** References that lead to references double a table with each step; nobody reads so far. */
const ROWS_MAX = 1000;
const DEPTH_MAX = 16;
const PARTS_MAX = 100;

export function tableOf(schema: JsonSchema): SchemaTable {
  const table = new Table(schema);
  const root = table.add(schema, { path: '', name: '', depth: 0, isRequired: true, kind: 'member' });
  const [, ...rows] = table.rows;
  return { root, rows, isCut: table.isCut };
}

type Seat = Pick<SchemaRow, 'path' | 'name' | 'depth' | 'isRequired' | 'kind'>;

class Table {
  readonly rows: SchemaRow[] = [];
  isCut = false;
  readonly #references: LocalReferences;
  /** What is being described right now, from the outside in: a schema that stands in itself is named, not opened again. */
  readonly #open: SchemaObject[] = [];

  constructor(root: JsonSchema) {
    this.#references = new LocalReferences(root);
  }

  add(schema: JsonSchema, seat: Seat): SchemaRow {
    const levels = this.#levelsOf(schema);
    const [parts = [], ...items] = levels;
    const again = levels.flat().some((part) => this.#open.includes(part));
    const title = seat.kind === 'form' ? '' : textOf(parts, 'title');
    const row: SchemaRow = {
      ...seat,
      type: schema === false ? 'never' : this.#typeOf(parts),
      isDeprecated: parts.some((part) => part['deprecated'] === true),
      constraints: [
        ...parts.flatMap(constraintsOf),
        ...items.flatMap((level, index) => ofEach(level).map((words) => 'each '.repeat(index + 1) + words)),
        ...(again ? ['again as above'] : []),
      ],
      values: valuesOf(parts),
      description: textOf(parts, 'description') || title || textOf(items[0] ?? [], 'description'),
    };
    this.rows.push(row);
    if (again) return row;
    if (seat.depth >= DEPTH_MAX || this.rows.length >= ROWS_MAX) {
      this.isCut ||= levels.some(hasMembers);
      return row;
    }
    const depth = seat.path === '' ? 0 : seat.depth + 1;
    const before = this.#open.length;
    this.#open.push(...levels.flat());
    for (const [index, level] of levels.entries()) {
      this.#addMembers(level, { path: seat.path + '/*'.repeat(index), depth });
    }
    this.#open.length = before;
    return row;
  }

  /** The parts of the schema, of its items where it is an array, of their items, and so on. */
  #levelsOf(schema: JsonSchema): SchemaObject[][] {
    const levels = [this.#partsOf(schema)];
    for (let item = itemOf(levels[0] ?? []); item !== undefined && levels.length < DEPTH_MAX; ) {
      const level = this.#partsOf(item);
      // An array of itself would go on for ever.
      if (level.some((part) => levels.flat().includes(part))) break;
      levels.push(level);
      item = itemOf(level);
    }
    return levels;
  }

  #addMembers(parts: readonly SchemaObject[], { path, depth }: { path: string; depth: number }): void {
    const required = new Set(parts.flatMap(({ required }) => (Array.isArray(required) ? required : [])));
    const members = new Map<string, JsonSchema[]>();
    for (const { properties } of parts) {
      for (const [name, member] of schemasIn(properties))
        members.set(name, [...(members.get(name) ?? []), member]);
    }
    const seat = { depth, kind: 'member', isRequired: false } as const;
    for (const [name, schemas] of members) {
      const [only] = schemas;
      const member = schemas.length === 1 && only !== undefined ? only : { allOf: schemas };
      this.#addMore(member, {
        ...seat,
        name,
        path: `${path}/${escapeSegment(name)}`,
        isRequired: required.has(name),
      });
    }
    for (const name of required) {
      if (typeof name !== 'string' || members.has(name)) continue;
      this.#addMore(true, { ...seat, name, path: `${path}/${escapeSegment(name)}`, isRequired: true });
    }
    for (const part of parts) {
      for (const [pattern, member] of schemasIn(part['patternProperties'])) {
        this.#addMore(member, {
          ...seat,
          name: `name like ${pattern}`,
          path: `${path}/{${escapeSegment(pattern)}}`,
        });
      }
      const { additionalProperties: other, prefixItems } = part;
      if (isSchemaObject(other)) this.#addMore(other, { ...seat, name: 'any other name', path: `${path}/*` });
      for (const [index, item] of (Array.isArray(prefixItems) ? prefixItems : []).entries()) {
        if (isSchema(item)) this.#addMore(item, { ...seat, name: `item ${index}`, path: `${path}/${index}` });
      }
      this.#addForms(part, { path, depth });
    }
  }

  #addForms(part: SchemaObject, { path, depth }: { path: string; depth: number }): void {
    const seat = { depth, kind: 'form', isRequired: false } as const;
    for (const forms of [part['oneOf'], part['anyOf']]) {
      if (!Array.isArray(forms) || isPlainUnion(forms)) continue;
      for (const [index, form] of forms.entries()) {
        if (!isSchema(form)) continue;
        const number = `(${index + 1})`;
        this.#addMore(form, { ...seat, name: `as ${this.#nameOf(form) ?? number}`, path: path + number });
      }
    }
    for (const [keyword, name] of [
      ['if', 'if it is like this'],
      ['then', 'then it is also'],
      ['else', 'else it is also'],
    ] as const) {
      const form = part[keyword];
      if (isSchema(form)) this.#addMore(form, { ...seat, name, path: `${path}(${keyword})` });
    }
    for (const [name, form] of schemasIn(part['dependentSchemas'])) {
      this.#addMore(form, { ...seat, name: `with ${name}`, path: `${path}(with ${name})` });
    }
  }

  #addMore(schema: JsonSchema, seat: Seat): void {
    if (this.rows.length < ROWS_MAX) this.add(schema, seat);
    else this.isCut = true;
  }

  /** The schema, what it refers to, and the parts of its `allOf`: all of them hold. */
  #partsOf(schema: JsonSchema, found: SchemaObject[] = []): SchemaObject[] {
    if (typeof schema === 'boolean' || found.includes(schema) || found.length >= PARTS_MAX) return found;
    found.push(schema);
    const target = this.#references.targetOf(schema);
    if (target !== undefined) this.#partsOf(target.schema, found);
    const { allOf } = schema;
    for (const part of Array.isArray(allOf) ? allOf : []) if (isSchema(part)) this.#partsOf(part, found);
    return found;
  }

  /** What people call a schema: its title, the name under which it stands among the definitions, or its type. */
  #nameOf(schema: JsonSchema): string | undefined {
    if (typeof schema === 'boolean') return undefined;
    if (typeof schema['title'] === 'string') return schema['title'];
    const defined = /\/(?:\$defs|definitions)\/([^/]+)$/.exec(
      this.#references.targetOf(schema)?.pointer ?? '',
    );
    if (defined?.[1] !== undefined) return defined[1];
    const name = this.#typeOf(this.#partsOf(schema));
    return name === 'any' || name === 'object' ? undefined : name;
  }

  #typeOf(parts: readonly SchemaObject[], depth = 0): string {
    if (depth >= DEPTH_MAX) return 'any';
    const typesIn = (schemas: readonly unknown[]) => {
      const names = schemas.map((one) =>
        isSchema(one) ? this.#typeOf(this.#partsOf(one), depth + 1) : 'any',
      );
      return [...new Set(names.flatMap((name) => name.split(' or ')))];
    };
    const item = itemOf(parts);
    const name = typeName(parts);
    if (name === 'array') {
      const [of] = item === undefined ? [] : typesIn([item]);
      return of === undefined || of === 'any' ? 'array' : `array of ${typesIn([item]).join(' or ')}`;
    }
    const union = parts.flatMap((part) => [part['oneOf'], part['anyOf']]).find(Array.isArray);
    if (name !== 'any' || union === undefined) return name;
    const names = typesIn(union);
    return names.includes('any') ? 'any' : names.join(' or ');
  }
}

/** The schema of the items, `prefixItems` aside. */
function itemOf(parts: readonly SchemaObject[]): JsonSchema | undefined {
  const found = parts.find((part) => isSchemaObject(part['items']))?.['items'];
  return isSchema(found) ? found : undefined;
}

function hasMembers(parts: readonly SchemaObject[]): boolean {
  return parts.some((part) => schemasIn(part['properties']).length > 0);
}

function schemasIn(members: unknown): [string, JsonSchema][] {
  if (!isSchemaObject(members)) return [];
  return Object.entries(members).filter((entry): entry is [string, JsonSchema] => isSchema(entry[1]));
}

function ofEach(level: readonly SchemaObject[]): string[] {
  const values = valuesOf(level);
  return [...level.flatMap(constraintsOf), ...(values.length === 0 ? [] : [`one of ${values.join(', ')}`])];
}

function textOf(parts: readonly SchemaObject[], keyword: string): string {
  const texts = parts.map((part) => part[keyword]).filter((text) => typeof text === 'string' && text !== '');
  return texts[0] === undefined ? '' : `${texts[0]}`;
}
