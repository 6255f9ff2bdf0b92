import { escapeSegment } from '../model/json-value.ts';
import type { JsonSchema } from './event-type.ts';
import { eachSubschema, type SchemaObject } from './subschemas.ts';

/**
 * The references of a schema, all of which lead to a place in itself: by pointer, by `$anchor`, or by the `$id` of a part of it
 * (JSON Schema 2020-12, section 8.2). A `$dynamicRef` is taken for a `$ref`: which anchor it means can differ only between several
 * resources of one document that extend each other.
 */
export class LocalReferences {
  readonly #places = new Map<string, Place>();
  readonly #bases = new Map<SchemaObject, string>();
  readonly #pointers = new Map<string, JsonSchema>();

  constructor(root: JsonSchema) {
    this.#places.set(NAMELESS, { pointer: '', schema: root });
    this.#enter(root, '', NAMELESS);
  }

  /** Where the reference of a schema leads; undefined where it has none, or it leads out of the document or nowhere. */
  targetOf(schema: SchemaObject): Place | undefined {
    const reference = schema['$ref'] ?? schema['$dynamicRef'];
    const base = this.#bases.get(schema);
    if (typeof reference !== 'string' || base === undefined) return undefined;
    const url = absolute(reference, base);
    const [resource = '', fragment = ''] = (url ?? '').split('#', 2);
    if (!fragment.startsWith('/'))
      return this.#places.get(fragment === '' ? resource : `${resource}#${fragment}`);
    const root = this.#places.get(resource);
    if (root === undefined) return undefined;
    const pointer = root.pointer + decoded(fragment);
    const target = this.#pointers.get(pointer);
    return target === undefined ? undefined : { pointer, schema: target };
  }

  #enter(schema: JsonSchema, pointer: string, base: string): void {
    this.#pointers.set(pointer, schema);
    if (typeof schema === 'boolean') return;
    const { $id: id, $anchor: anchor, $dynamicAnchor: dynamic } = schema;
    const own = typeof id === 'string' ? (absolute(id, base)?.replace(/#$/, '') ?? base) : base;
    if (own !== base) this.#places.set(own, { pointer, schema });
    for (const name of [anchor, dynamic]) {
      if (typeof name === 'string') this.#places.set(`${own}#${name}`, { pointer, schema });
    }
    this.#bases.set(schema, own);
    eachSubschema(schema, (subschema, at) => {
      this.#enter(subschema, `${pointer}/${at.map(escapeSegment).join('/')}`, own);
    });
  }
}

export interface Place {
  /** JSON Pointer from the root of the document. */
  readonly pointer: string;
  readonly schema: JsonSchema;
}

/** The base of a document without `$id`; a hierarchical one, so that relative references resolve against it. */
const NAMELESS = 'schema://nameless/';

function absolute(reference: string, base: string): string | undefined {
  try {
    return new URL(reference, base).href;
  } catch {
    return undefined;
  }
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
