import type { Fault } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { toPointer } from '../model/faults.ts';
import type { JsonSchema } from './event-type.ts';
import { FORMATS } from './formats.ts';
import { isTypeName, KEYWORDS, type KeywordForm, TYPES, unknownKeyword } from './schema-keywords.ts';

/**
 * A schema read: every sub-schema a node that knows its parts, and every reference resolved to the node that it means. What
 * uses a schema (the validator, the comparison) uses it in this form and need not doubt it.
 *
 * References stay within the document. It is one resource: an `$id` is taken at its root alone, as its name. Then an anchor is
 * there once, the dynamic scope of a `$dynamicRef` has one resource, and it means what `$ref` means.
 */
export interface SchemaNode {
  readonly schema: boolean | SchemaObject;
  readonly path: NodePath;
  /** By keyword: `items`, `not`, … */
  readonly single: ReadonlyMap<string, SchemaNode>;
  /** By keyword: `allOf`, `prefixItems`, … */
  readonly lists: ReadonlyMap<string, readonly SchemaNode[]>;
  /** By keyword and name: `properties`, `$defs`, … */
  readonly named: ReadonlyMap<string, ReadonlyMap<string, SchemaNode>>;
  /** What `$ref` and `$dynamicRef` mean. */
  readonly targets: readonly SchemaNode[];
}

export interface SchemaObject {
  readonly [keyword: string]: unknown;
}

/** Where a node is, from the inside out: ten thousand pointers that share a long beginning would fill the memory. */
interface NodePath {
  readonly outer: NodePath | undefined;
  readonly steps: readonly (string | number)[];
}

export interface SchemaDocument {
  readonly root: SchemaNode;
  readonly nodes: readonly SchemaNode[];
  /** The sources of all patterns, each once. */
  readonly patterns: ReadonlySet<string>;
}

/** JSON Pointer of a node, or of one of its keywords. */
export function pointerTo(node: SchemaNode, ...steps: readonly (string | number)[]): string {
  const parts: (string | number)[][] = [[...steps]];
  for (let path: NodePath | undefined = node.path; path !== undefined; path = path.outer) {
    parts.push([...path.steps]);
  }
  return toPointer(parts.reverse().flat());
}

/** Reads a schema, or says what is wrong with it. It has to be made of JSON and to be within the bounds of `isWithinBounds`. */
export function readSchema(
  schema: JsonSchema,
): { document: SchemaDocument; faults?: undefined } | { document?: undefined; faults: readonly Fault[] } {
  const reader = new Reader();
  try {
    const root = reader.read(schema, { outer: undefined, steps: [] }, 0);
    reader.resolve(root);
    if (reader.faults.length > 0) return { faults: reader.faults };
    return { document: { root, nodes: reader.nodes, patterns: reader.patterns } };
  } catch (error) {
    if (error === ENOUGH) return { faults: reader.faults };
    throw error;
  }
}

interface OpenNode extends SchemaNode {
  readonly single: Map<string, SchemaNode>;
  readonly lists: Map<string, SchemaNode[]>;
  readonly named: Map<string, Map<string, SchemaNode>>;
  readonly targets: SchemaNode[];
}

/** Thrown where nothing more is looked for. */
const ENOUGH = new Error('enough faults');
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const ANCHOR = /^[A-Za-z_][-A-Za-z0-9._]*$/;

class Reader {
  readonly faults: Fault[] = [];
  readonly nodes: OpenNode[] = [];
  readonly patterns = new Set<string>();
  readonly #anchors = new Map<string, SchemaNode>();

  read(schema: unknown, path: NodePath, depth: number): SchemaNode {
    const isObject = isMembers(schema);
    const node: OpenNode = {
      schema: isObject || typeof schema === 'boolean' ? schema : true,
      path,
      single: new Map(),
      lists: new Map(),
      named: new Map(),
      targets: [],
    };
    this.nodes.push(node);
    if (this.nodes.length > LIMITS.subschemasMax) {
      this.#fault(node, [], `is too large: more than ${LIMITS.subschemasMax} sub-schemas`);
      throw ENOUGH;
    }
    if (depth > LIMITS.schemaDepthMax) {
      this.#fault(node, [], `is nested more than ${LIMITS.schemaDepthMax} levels deep`);
      throw ENOUGH;
    }
    if (!isObject) {
      if (typeof schema !== 'boolean') this.#fault(node, [], 'must be a schema: an object or a boolean');
      return node;
    }
    for (const [keyword, value] of Object.entries(schema)) this.#keyword(node, keyword, value, depth);
    return node;
  }

  #keyword(node: OpenNode, keyword: string, value: unknown, depth: number): void {
    const form = KEYWORDS.get(keyword);
    if (form === undefined) {
      if (!keyword.startsWith('x-')) this.#fault(node, [keyword], unknownKeyword(keyword));
      return;
    }
    switch (form) {
      case 'schema':
        if (keyword === 'items' && Array.isArray(value)) {
          this.#fault(
            node,
            [keyword],
            'must be a schema: an object or a boolean. Use `prefixItems` for a list',
          );
        } else node.single.set(keyword, this.#part(node, [keyword], value, depth));
        return;
      case 'schemas':
        if (!Array.isArray(value) || value.length === 0) {
          this.#fault(node, [keyword], 'must be a list of at least one schema');
        } else {
          node.lists.set(
            keyword,
            value.map((part, i) => this.#part(node, [keyword, i], part, depth)),
          );
        }
        return;
      case 'schemas by name':
        if (!isMembers(value)) this.#fault(node, [keyword], 'must be an object of schemas');
        else this.#named(node, keyword, value, depth);
        return;
      case 'pattern':
        if (typeof value === 'string') this.patterns.add(value);
        else this.#fault(node, [keyword], 'must be a text');
        return;
      case 'reference':
        // Where it leads is looked up once everything is read.
        if (typeof value !== 'string') this.#fault(node, [keyword], 'must be a text');
        return;
      case 'anchor':
        if (typeof value !== 'string' || !ANCHOR.test(value)) {
          this.#fault(node, [keyword], 'must be a name of letters, digits, - . and _');
        } else if ((this.#anchors.get(value) ?? node) !== node) {
          this.#fault(node, [keyword], `is there twice: "${value.slice(0, 64)}"`);
        } else this.#anchors.set(value, node);
        return;
      case 'identifier':
        if (typeof value !== 'string') this.#fault(node, [keyword], 'must be a text');
        else if (node.path.outer !== undefined) {
          this.#fault(node, [keyword], 'is allowed at the root only: a schema is one document');
        } else if (value.replace(/#$/, '').includes('#')) {
          this.#fault(node, [keyword], 'must have no fragment');
        }
        return;
      case 'dialect':
        if (typeof value !== 'string' || value.replace(/#$/, '') !== DIALECT) {
          this.#fault(node, [keyword], `must be ${DIALECT}`);
        }
        return;
      default: {
        const fault = faultOf(value, form);
        if (fault !== undefined) this.#fault(node, [keyword], fault);
      }
    }
  }

  #named(node: OpenNode, keyword: string, value: SchemaObject, depth: number): void {
    const parts = new Map<string, SchemaNode>();
    for (const [name, part] of Object.entries(value)) {
      parts.set(name, this.#part(node, [keyword, name], part, depth));
      if (keyword === 'patternProperties') this.patterns.add(name);
    }
    node.named.set(keyword, parts);
  }

  #part(node: SchemaNode, steps: (string | number)[], value: unknown, depth: number): SchemaNode {
    return this.read(value, { outer: node.path, steps }, depth + steps.length);
  }

  resolve(root: SchemaNode): void {
    const id = typeof root.schema === 'boolean' ? undefined : root.schema['$id'];
    const own = typeof id === 'string' ? id.replace(/#$/, '') : undefined;
    for (const node of this.nodes) {
      if (typeof node.schema === 'boolean') continue;
      for (const keyword of ['$ref', '$dynamicRef']) {
        const reference = node.schema[keyword];
        if (typeof reference !== 'string') continue;
        const [document = '', fragment = ''] = reference.split('#', 2);
        if (document !== '' && document !== own) {
          this.#fault(node, [keyword], 'must begin with #: references to other documents are not followed');
          continue;
        }
        const target = this.#target(root, fragment);
        if (target === undefined) {
          this.#fault(
            node,
            [keyword],
            `leads nowhere: ${reference.slice(0, 100)} is no schema of this document`,
          );
        } else node.targets.push(target);
      }
    }
  }

  #target(root: SchemaNode, fragment: string): SchemaNode | undefined {
    let text: string;
    try {
      text = decodeURIComponent(fragment);
    } catch {
      return undefined;
    }
    if (text === '') return root;
    if (!text.startsWith('/')) return this.#anchors.get(text);
    const steps = text
      .slice(1)
      .split('/')
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    let node: SchemaNode | undefined = root;
    for (let i = 0; i < steps.length && node !== undefined; ) {
      const [keyword = '', name = ''] = [steps[i], steps[i + 1]];
      const single: SchemaNode | undefined = node.single.get(keyword);
      const isIndex = /^(?:0|[1-9]\d*)$/.test(name);
      i += single === undefined ? 2 : 1;
      node =
        single ??
        (i > steps.length ? undefined : node.named.get(keyword)?.get(name)) ??
        (isIndex ? node.lists.get(keyword)?.[Number(name)] : undefined);
    }
    return node;
  }

  #fault(node: SchemaNode, steps: readonly (string | number)[], detail: string): void {
    this.faults.push({ pointer: pointerTo(node, ...steps), detail });
    if (this.faults.length >= LIMITS.faultsMax) throw ENOUGH;
  }
}

type PlainForm = Exclude<
  KeywordForm,
  'schema' | 'schemas' | 'schemas by name' | 'pattern' | 'reference' | 'anchor' | 'identifier' | 'dialect'
>;

function faultOf(value: unknown, form: PlainForm): string | undefined {
  switch (form) {
    case 'types':
      return isTypes(value) ? undefined : `must be one of ${TYPES.join(', ')}, or a list of different ones`;
    case 'values':
      return Array.isArray(value) ? undefined : 'must be a list of values';
    case 'value':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : 'must be a number';
    case 'positive number':
      return Number.isFinite(value) && Number(value) > 0 ? undefined : 'must be a number greater than 0';
    case 'count':
      return Number.isSafeInteger(value) && Number(value) >= 0
        ? undefined
        : 'must be a whole number that is not negative';
    case 'format':
      if (typeof value !== 'string') return 'must be a text';
      return FORMATS.has(value)
        ? undefined
        : `is no format that is checked here. Those are ${[...FORMATS.keys()].join(', ')}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'text':
      return typeof value === 'string' ? undefined : 'must be a text';
    case 'names':
      return isNames(value) ? undefined : 'must be a list of different names';
    case 'names by name':
      return isMembers(value) && Object.values(value).every(isNames)
        ? undefined
        : 'must be an object of lists of different names';
    case 'annotated schema':
      return isMembers(value) || typeof value === 'boolean'
        ? undefined
        : 'must be a schema: an object or a boolean';
    default:
      return form satisfies never;
  }
}

function isTypes(value: unknown): boolean {
  if (!Array.isArray(value)) return isTypeName(value);
  return value.length > 0 && value.every(isTypeName) && new Set(value).size === value.length;
}

function isNames(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((name) => typeof name === 'string') &&
    new Set(value).size === value.length
  );
}

export function isMembers(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Whether a schema is small and flat enough to be looked at, found out without looking at more of it than that: what comes
 * as a request may be sixteen megabytes.
 */
export function isWithinBounds(schema: JsonSchema): boolean {
  let bytes = 0;
  const waiting: { value: unknown; depth: number }[] = [{ value: schema, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, depth } = next;
    bytes += typeof value === 'string' ? value.length + 2 : 2;
    if (bytes > LIMITS.schemaBytesMax || depth > LIMITS.schemaDepthMax) return false;
    if (typeof value !== 'object' || value === null) continue;
    for (const key in value) {
      if (!Array.isArray(value)) bytes += key.length + 3;
      if (bytes + waiting.length > LIMITS.schemaBytesMax) return false;
      waiting.push({ value: Reflect.get(value, key), depth: depth + 1 });
    }
  }
  return true;
}
