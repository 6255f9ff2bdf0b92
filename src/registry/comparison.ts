import type { Fault } from '../errors.ts';
import { coversItems } from './compare-items.ts';
import { coversMembers, membersAt } from './compare-members.ts';
import { coversPlain } from './compare-values.ts';
import { compilePattern } from './pattern.ts';
import { pointerTo, type SchemaNode } from './schema-document.ts';
import {
  acceptsKind,
  type Conjunct,
  conjunctsOf,
  type Kind,
  kindsOf,
  listedValues,
  plainNode,
  requiredNames,
} from './schema-facts.ts';
import { Sameness } from './schema-sameness.ts';
import { Run, TOO_MUCH } from './validation-run.ts';
import { CheckMaker } from './validator.ts';
import { withArticle } from './value-checks.ts';

/**
 * Pairs of sub-schemas that are looked at, and how many of them one inside the other, before it is too much: so many take up to
 * some 300 ms, for thousands of sub-schemas or many choices. To find two the same is a hundred times as fast.
 */
const STEPS_MAX = 10_000;
const SAMENESS_STEPS_MAX = 100_000;
const DEPTH_MAX = 200;
const VIOLATIONS_MAX = 100;
const TOO_LARGE = new Error('too large to be compared');

type Direction = 'backward' | 'forward';

/** Each accepts all values of a kind. */
const KIND_NODES: Readonly<Record<Kind, SchemaNode>> = {
  null: plainNode({ type: 'null' }),
  boolean: plainNode({ type: 'boolean' }),
  number: plainNode({ type: 'number' }),
  string: plainNode({ type: 'string' }),
  array: plainNode({ type: 'array' }),
  object: plainNode({ type: 'object' }),
};

export type Said = Readonly<Record<Direction, string>>;

/** What is known of the values that are compared: all these nodes accept them, and they are of one kind. */
export interface Narrow {
  readonly nodes: readonly SchemaNode[];
  readonly conjuncts: readonly Conjunct[];
  /** Choices of these nodes that were made, see `Comparison`. */
  readonly made: ReadonlySet<string>;
}

/**
 * Shows that a schema (`wide`) accepts every value that others (`narrow`) accept all together. Keyword by keyword of `wide`,
 * and for each kind of value apart, it looks for what in `narrow` implies it. Where that fails and `narrow` has a choice
 * (`anyOf`, `oneOf`, `if`), each way to choose is looked at by itself.
 *
 * A recursion comes back to a pair of schemas that is being compared. It is taken to hold: it is a deeper value of which it is asked
 * then, and values have an end. What was found under such an assumption is kept only once the assumption has been proved.
 */
export class Comparison {
  readonly direction: Direction;
  readonly #same = new Sameness(() => {
    this.#samenessSteps += 1;
    if (this.#samenessSteps > SAMENESS_STEPS_MAX) throw TOO_LARGE;
  });
  readonly #checks = new CheckMaker((source) => ({
    test: (text, spend) => this.#patternOf(source).test(text, spend),
  }));
  readonly #patterns = new Map<string, ReturnType<typeof compilePattern>>();
  readonly #ids = new Map<SchemaNode, number>();
  readonly #open = new Map<string, number>();
  readonly #known = new Map<string, boolean>();
  readonly #found = new Map<string, Fault>();
  /** The outermost open comparison that the current one rests upon. */
  #rests = Number.POSITIVE_INFINITY;
  #quiet = 0;
  #steps = 0;
  #samenessSteps = 0;

  constructor(direction: Direction) {
    this.direction = direction;
  }

  violations(narrow: SchemaNode, wide: SchemaNode): readonly Fault[] {
    try {
      if (this.covers([narrow], wide)) return [];
    } catch (error) {
      if (error !== TOO_LARGE && error !== TOO_MUCH) throw error;
      this.#found.clear();
      return [
        { pointer: '', detail: 'cannot be shown to be compatible: the schemas are too large to be compared' },
      ];
    }
    return this.#found.size > 0
      ? [...this.#found.values()]
      : [{ pointer: '', detail: 'cannot be shown to be compatible' }];
  }

  /** Whether every value that all of `nodes` accept is accepted by `wide`. Reports what is not. */
  covers(nodes: readonly SchemaNode[], wide: SchemaNode, made: ReadonlySet<string> = new Set()): boolean {
    this.#step();
    const { conjuncts, isNever } = conjunctsOf(nodes);
    if (isNever || wide.schema === true) return true;
    if (conjuncts.some(({ node }) => this.isSame(node, wide))) return true;
    const ids = [...new Set(nodes.map((node) => this.#id(node)))].sort((a, b) => a - b);
    const key = `${ids} ${this.#id(wide)} ${[...made].sort()}`;
    return this.#decide(key, () => this.#compare({ nodes, conjuncts, made }, wide));
  }

  /** Asks without reporting. */
  asks(question: () => boolean): boolean {
    this.#quiet += 1;
    const answer = question();
    this.#quiet -= 1;
    return answer;
  }

  isSame(a: SchemaNode, b: SchemaNode): boolean {
    return this.#same.isSame(a, b);
  }

  /** Of a kind; `made` stays. */
  ofKind({ nodes }: Narrow, kind: Kind): readonly SchemaNode[] {
    return [...nodes, KIND_NODES[kind]];
  }

  /**
   * Notes a violation at a keyword of `wide`, and is false.
   * @param said what it means backward, where `wide` is the new schema, and forward, where it is the old one.
   */
  report(wide: SchemaNode, keyword: string, { conjuncts }: Pick<Narrow, 'conjuncts'>, said: Said): false {
    const own = conjuncts.find(({ schema }) => Object.hasOwn(schema, keyword))?.node;
    const node = this.direction === 'forward' && own !== undefined ? own : wide;
    return this.reportAt(node, keyword === '' ? [] : [keyword], said);
  }

  reportAt(node: SchemaNode, steps: readonly string[], said: Said): false {
    if (this.#quiet > 0 || this.#found.size >= VIOLATIONS_MAX) return false;
    const fault = { pointer: pointerTo(node, ...steps), detail: said[this.direction] };
    this.#found.set(`${fault.pointer} ${fault.detail}`, fault);
    return false;
  }

  /** Whether a pattern is found in a name. @throws TOO_LARGE where it takes too much. */
  matches(source: string, name: string): boolean {
    return this.#patternOf(source).test(name, new Run());
  }

  /** Whether no value is accepted by both; false where it is not seen. Looks at members that are there, some levels deep. */
  areDisjoint(a: readonly SchemaNode[], b: readonly SchemaNode[], levels = 3): boolean {
    this.#step();
    const [left, right] = [conjunctsOf(a), conjunctsOf(b)];
    if (left.isNever || right.isNever) return true;
    const kinds = kindsOf([...left.conjuncts, ...right.conjuncts]);
    if (kinds.length === 0) return true;
    const listed = listedValues(left.conjuncts) ?? listedValues(right.conjuncts);
    if (listed !== undefined) return listed.every((value) => !this.#accepts([...a, ...b], value));
    if (levels === 0 || kinds.some((kind) => kind !== 'object')) return false;
    const names = new Set([...requiredNames(left.conjuncts), ...requiredNames(right.conjuncts)]);
    return [...names].some((name) => {
      const at = (conjuncts: readonly Conjunct[]) => conjuncts.flatMap((one) => membersAt(this, one, name));
      const [x, y] = [at(left.conjuncts), at(right.conjuncts)];
      return x.length > 0 && y.length > 0 && this.areDisjoint(x, y, levels - 1);
    });
  }

  #step(): void {
    this.#steps += 1;
    if (this.#steps > STEPS_MAX || this.#open.size > DEPTH_MAX) throw TOO_LARGE;
  }

  #id(node: SchemaNode): number {
    const id = this.#ids.get(node) ?? this.#ids.size;
    this.#ids.set(node, id);
    return id;
  }

  #decide(key: string, decide: () => boolean): boolean {
    const known = this.#known.get(key);
    // What does not hold is gone through again where it has to be reported.
    if (known === true || (known === false && this.#quiet > 0)) return known;
    const open = this.#open.get(key);
    if (open !== undefined) {
      this.#rests = Math.min(this.#rests, open);
      return true;
    }
    const depth = this.#open.size;
    const outer = this.#rests;
    this.#rests = Number.POSITIVE_INFINITY;
    this.#open.set(key, depth);
    const holds = decide();
    this.#open.delete(key);
    if (!holds || this.#rests >= depth) this.#known.set(key, holds);
    this.#rests = Math.min(outer, this.#rests < depth ? this.#rests : Number.POSITIVE_INFINITY);
    return holds;
  }

  #compare(narrow: Narrow, wide: SchemaNode): boolean {
    if (this.asks(() => this.#meets(narrow, wide))) return true;
    const choice = this.#choiceOf(narrow);
    if (choice === undefined) return this.#quiet === 0 && this.#meets(narrow, wide);
    const made = new Set([...narrow.made, choice.key]);
    const failing = choice.ways.filter(
      (way) => !this.asks(() => this.covers([...narrow.nodes, ...way], wide, made)),
    );
    const [first] = failing;
    if (first === undefined) return true;
    // One way that fails tells more than that some way does.
    return this.#quiet === 0 && this.covers([...narrow.nodes, ...first], wide, made);
  }

  /** The first choice that was not made yet, with the nodes that apply for each way to choose. */
  #choiceOf({
    conjuncts,
    made,
  }: Narrow): { key: string; ways: readonly (readonly SchemaNode[])[] } | undefined {
    for (const { node } of conjuncts) {
      for (const keyword of ['anyOf', 'oneOf', 'if']) {
        const key = `${this.#id(node)}${keyword}`;
        if (made.has(key)) continue;
        const forms = node.lists.get(keyword);
        if (forms !== undefined) return { key, ways: forms.map((form) => [form]) };
        const condition = node.single.get(keyword);
        if (condition === undefined) continue;
        const [then, otherwise] = [node.single.get('then'), node.single.get('else')];
        if (then === undefined && otherwise === undefined) continue;
        return {
          key,
          ways: [
            then === undefined ? [condition] : [condition, then],
            otherwise === undefined ? [] : [otherwise],
          ],
        };
      }
    }
    return undefined;
  }

  #meets(narrow: Narrow, wide: SchemaNode): boolean {
    const listed = listedValues(narrow.conjuncts);
    if (listed !== undefined) return this.#acceptsListed(narrow, wide, listed);
    const { conjuncts, isNever } = conjunctsOf([wide]);
    const kinds = kindsOf(narrow.conjuncts);
    if (isNever && kinds.length > 0) {
      return this.report(wide, '', narrow, {
        backward: 'is not allowed, and was before',
        forward: 'was not allowed before, and is now',
      });
    }
    let isMet = true;
    const refused = new Map<SchemaNode, string[]>();
    for (const kind of kinds) {
      const refusing = conjuncts.find(({ schema }) => !acceptsKind(schema, kind));
      if (refusing !== undefined) {
        if (this.#quiet > 0) return false;
        refused.set(refusing.node, [...(refused.get(refusing.node) ?? []), withArticle(kind)]);
        continue;
      }
      const ofKind = { ...narrow, nodes: this.ofKind(narrow, kind) };
      if (kind === 'null' || kind === 'boolean') {
        isMet = this.#acceptsListed(ofKind, wide, listedValues([], kind) ?? []) && isMet;
        continue;
      }
      for (const conjunct of conjuncts) {
        if (narrow.conjuncts.some(({ node }) => this.isSame(node, conjunct.node))) continue;
        isMet = this.#meetsOne(ofKind, conjunct, kind) && isMet;
        if (!isMet && this.#quiet > 0) return false;
      }
    }
    for (const [node, names] of refused) {
      const [is, was] = names.length === 1 ? ['is', 'was'] : ['are', 'were'];
      isMet = this.report(node, 'type', narrow, {
        backward: `${allOf(names)} ${is} not accepted, and ${was} before`,
        forward: `${allOf(names)} ${was} not accepted before, and ${is} now`,
      });
    }
    return isMet;
  }

  #acceptsListed(narrow: Narrow, wide: SchemaNode, values: readonly unknown[]): boolean {
    let isMet = true;
    for (const value of values) {
      this.#step();
      if (!this.#accepts(narrow.nodes, value) || this.#accepts([wide], value)) continue;
      const text = JSON.stringify(value).slice(0, 100);
      const keyword = typeof wide.schema === 'boolean' ? '' : keywordOfValues(wide.schema);
      isMet = this.report(wide, keyword, narrow, {
        backward: `${text} is not accepted, and was before`,
        forward: `${text} was not accepted before, and is now`,
      });
    }
    return isMet;
  }

  /** @throws TOO_MUCH */
  #accepts(nodes: readonly SchemaNode[], value: unknown): boolean {
    const run = new Run();
    return nodes.every((node) => this.#checks.checkOf(node)(value, run, undefined));
  }

  #meetsOne(narrow: Narrow, conjunct: Conjunct, kind: Exclude<Kind, 'null' | 'boolean'>): boolean {
    const { node, schema } = conjunct;
    let isMet = true;
    if (listedValues([conjunct]) !== undefined) {
      isMet = this.report(node, Object.hasOwn(schema, 'const') ? 'const' : 'enum', narrow, {
        backward: 'accepts the listed values only, and others were accepted before',
        forward: 'accepted the listed values only before, and accepts others now',
      });
    }
    isMet = this.#meetsChoices(narrow, node) && isMet;
    switch (kind) {
      case 'number':
      case 'string':
        return coversPlain(this, narrow, conjunct, kind) && isMet;
      case 'array':
        return coversItems(this, narrow, conjunct) && isMet;
      case 'object':
        return coversMembers(this, narrow, conjunct) && isMet;
      default:
        return kind satisfies never;
    }
  }

  #meetsChoices(narrow: Narrow, node: SchemaNode): boolean {
    const covers = (wide: SchemaNode, more: readonly SchemaNode[] = []) =>
      this.asks(() => this.covers([...narrow.nodes, ...more], wide, narrow.made));
    let isMet = true;
    const anyOf = node.lists.get('anyOf');
    if (anyOf !== undefined && !anyOf.some((form) => covers(form)))
      isMet = this.unsure(node, 'anyOf', narrow);
    const oneOf = node.lists.get('oneOf');
    if (oneOf !== undefined && !this.#hasSameList(narrow, 'oneOf', oneOf)) {
      const isOne = oneOf.some(
        (form) =>
          covers(form) && oneOf.every((other) => other === form || this.areDisjoint(narrow.nodes, [other])),
      );
      if (!isOne) isMet = this.unsure(node, 'oneOf', narrow);
    }
    const not = node.single.get('not');
    if (not !== undefined && !this.#excludes(narrow, not)) isMet = this.unsure(node, 'not', narrow);
    const condition = node.single.get('if');
    if (condition !== undefined && !this.#hasSameCondition(narrow, node)) {
      const [then, otherwise] = [node.single.get('then'), node.single.get('else')];
      const isCovered =
        (then === undefined || covers(then, [condition])) && (otherwise === undefined || covers(otherwise));
      if (!isCovered) isMet = this.unsure(node, 'if', narrow);
    }
    return isMet;
  }

  unsure(node: SchemaNode, keyword: string, narrow: Pick<Narrow, 'conjuncts'>): false {
    const detail = 'differs, and cannot be shown to be compatible';
    return this.report(node, keyword, narrow, { backward: detail, forward: detail });
  }

  #hasSameList({ conjuncts }: Narrow, keyword: string, list: readonly SchemaNode[]): boolean {
    return conjuncts.some(({ node }) => {
      const own = node.lists.get(keyword);
      return own?.length === list.length && own.every((part, i) => this.isSame(part, list[i] ?? part));
    });
  }

  #hasSameCondition({ conjuncts }: Narrow, wide: SchemaNode): boolean {
    return conjuncts.some(({ node }) =>
      ['if', 'then', 'else'].every((keyword) => {
        const [own, other] = [node.single.get(keyword), wide.single.get(keyword)];
        return own === undefined || other === undefined ? own === other : this.isSame(own, other);
      }),
    );
  }

  /** What is excluded already, or is of none of the accepted kinds. */
  #excludes(narrow: Narrow, excluded: SchemaNode): boolean {
    return (
      this.areDisjoint(narrow.nodes, [excluded]) ||
      narrow.conjuncts.some(({ node }) => {
        const own = node.single.get('not');
        return own !== undefined && this.asks(() => this.covers([excluded], own));
      })
    );
  }

  #patternOf(source: string) {
    const pattern = this.#patterns.get(source) ?? compilePattern(source);
    this.#patterns.set(source, pattern);
    if (typeof pattern === 'string') throw TOO_LARGE;
    return pattern;
  }
}

function keywordOfValues(schema: Readonly<Record<string, unknown>>): string {
  return ['const', 'enum', 'type'].find((keyword) => Object.hasOwn(schema, keyword)) ?? '';
}

function allOf(names: readonly string[]): string {
  return names.length === 1 ? `${names[0]}` : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
