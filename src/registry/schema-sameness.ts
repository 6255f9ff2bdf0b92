import { isSameJson } from '../model/json-value.ts';
import type { SchemaNode } from './schema-document.ts';
import { KEYWORDS } from './schema-keywords.ts';

/** Keywords that decide nothing, and those whose schemas count where they are referred to. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  ...[
    '$schema',
    '$id',
    '$ref',
    '$dynamicRef',
    '$anchor',
    '$dynamicAnchor',
    '$defs',
    'definitions',
    '$comment',
  ],
  ...['title', 'description', 'default', 'deprecated', 'readOnly', 'writeOnly', 'examples', 'example'],
  ...['contentEncoding', 'contentMediaType', 'contentSchema', 'discriminator', 'externalDocs', 'xml'],
]);
const EFFECTIVE = [...KEYWORDS].filter(([keyword]) => !WITHOUT_EFFECT.has(keyword));
const PLAIN = EFFECTIVE.filter(([, form]) => !form.startsWith('schema')).map(([keyword]) => keyword);
const SINGLE = EFFECTIVE.filter(([, form]) => form === 'schema').map(([keyword]) => keyword);
const LISTS = EFFECTIVE.filter(([, form]) => form === 'schemas').map(([keyword]) => keyword);
const NAMED = EFFECTIVE.filter(([, form]) => form === 'schemas by name').map(([keyword]) => keyword);

/**
 * Whether two nodes say the same: the same keywords with the same values and the same parts, what is referred to included,
 * annotations left aside. Two recursions are the same where no way through them finds a difference.
 */
export class Sameness {
  readonly #known = new Map<SchemaNode, Map<SchemaNode, boolean>>();
  readonly #spend: () => void;

  /** @param spend is called for each pair of nodes that is looked at, and throws where it is enough. */
  constructor(spend: () => void) {
    this.#spend = spend;
  }

  isSame(a: SchemaNode, b: SchemaNode): boolean {
    const known = this.#known.get(a)?.get(b);
    if (known !== undefined) return known;
    const assumed = new Map<SchemaNode, Set<SchemaNode>>();
    const isSame = this.#compare(a, b, assumed);
    if (!isSame) this.#note(a, b, false);
    // Whatever was assumed on the way has turned out to be so.
    else for (const [left, rights] of assumed) for (const right of rights) this.#note(left, right, true);
    return isSame;
  }

  #note(a: SchemaNode, b: SchemaNode, isSame: boolean): void {
    const notes = this.#known.get(a) ?? new Map<SchemaNode, boolean>();
    this.#known.set(a, notes.set(b, isSame));
  }

  #compare(a: SchemaNode, b: SchemaNode, assumed: Map<SchemaNode, Set<SchemaNode>>): boolean {
    const known = this.#known.get(a)?.get(b);
    if (known !== undefined) return known;
    const rights = assumed.get(a) ?? new Set();
    if (rights.has(b)) return true;
    assumed.set(a, rights.add(b));
    this.#spend();
    const [left, right] = [a.schema, b.schema];
    if (typeof left === 'boolean' || typeof right === 'boolean') return left === right;
    const both = (x: SchemaNode | undefined, y: SchemaNode | undefined) =>
      x === undefined || y === undefined ? x === y : this.#compare(x, y, assumed);
    const lists = (x: readonly SchemaNode[] = [], y: readonly SchemaNode[] = []) =>
      x.length === y.length && x.every((part, i) => both(part, y[i]));
    return (
      PLAIN.every(
        (keyword) =>
          Object.hasOwn(left, keyword) === Object.hasOwn(right, keyword) &&
          isSameJson(left[keyword], right[keyword]),
      ) &&
      SINGLE.every((keyword) => both(a.single.get(keyword), b.single.get(keyword))) &&
      LISTS.every((keyword) => lists(a.lists.get(keyword), b.lists.get(keyword))) &&
      NAMED.every((keyword) => {
        const [x, y] = [a.named.get(keyword), b.named.get(keyword)];
        return (
          (x?.size ?? 0) === (y?.size ?? 0) &&
          [...(x ?? [])].every(([name, part]) => both(part, y?.get(name)))
        );
      }) &&
      lists(a.targets, b.targets)
    );
  }
}
