import { RE2JS } from 're2js';
import { LIMITS } from '../limits.ts';
import type { Run } from './validation-run.ts';

/**
 * A regular expression of a schema, run by RE2, in time linear in the text: the engine of JavaScript backtracks, and two
 * nested quantifiers with thirty characters stop it for minutes. RE2 knows no lookahead and no backreferences; a pattern with
 * these is refused.
 *
 * Linear is not fast. RE2 builds an automaton while it reads, which costs 100 to 250 ns a character once it is built, and 500
 * ns for each character and instruction while every character needs a new state: `^(a|b)*a(a|b){160}$` took 1.1 s over 4,000
 * characters. Its slower engine without an automaton has no such case, 20 to 50 ns for a character and instruction. So a
 * pattern runs on the automaton, over no more text than builds states for 25 ms, until that was slow once; then on the other.
 */
const AUTOMATON_WORK_MAX = 50_000;
/** Has at most 2^12 states: the longest text is read at the pace of an automaton that is built. */
const SMALL_SIZE = 12;
/** What it costs to find out that a pattern is slow: ten of them in one value are too many. */
const SLOW_COST = 500_000;
const SLOW_MS = 1;
const SLOW_NS_PER_CHARACTER = 2000;

/** What a check needs of a pattern. */
export type PatternTest = Pick<Pattern, 'test'>;

export class Pattern {
  readonly source: string;
  readonly size: number;
  readonly #program: RE2JS;
  #isTame = true;

  /** @throws Error of RE2JS where the expression is none that RE2 can run. */
  constructor(source: string) {
    this.source = source;
    this.#program = RE2JS.compile(RE2JS.translateRegExp(withShortProperties(source)));
    this.size = this.#program.programSize();
  }

  /**
   * Whether the pattern is found in a text, anywhere unless it is anchored.
   * @param run is told beforehand what it takes, in its units, and throws where that is too much.
   */
  test(text: string, run: Pick<Run, 'spend'>): boolean {
    const work = text.length * this.size;
    if (!this.#isTame || (work > AUTOMATON_WORK_MAX && this.size > SMALL_SIZE)) {
      run.spend(50 + work * 2);
      return this.#program.matcher(text).find();
    }
    run.spend(10 + text.length * 10);
    if (work < 1000) return this.#program.test(text);
    const start = performance.now();
    const isFound = this.#program.test(text);
    const ms = performance.now() - start;
    if (ms > SLOW_MS && ms * 1e6 > SLOW_NS_PER_CHARACTER * text.length) {
      this.#isTame = false;
      run.spend(SLOW_COST);
    }
    return isFound;
  }
}

/** The long names of general categories, which RE2 knows by the short ones. */
const CATEGORIES: ReadonlyMap<string, string> = new Map([
  ['Letter', 'L'],
  ['Uppercase_Letter', 'Lu'],
  ['Lowercase_Letter', 'Ll'],
  ['Titlecase_Letter', 'Lt'],
  ['Modifier_Letter', 'Lm'],
  ['Other_Letter', 'Lo'],
  ['Mark', 'M'],
  ['Nonspacing_Mark', 'Mn'],
  ['Spacing_Mark', 'Mc'],
  ['Enclosing_Mark', 'Me'],
  ['Number', 'N'],
  ['Decimal_Number', 'Nd'],
  ['digit', 'Nd'],
  ['Letter_Number', 'Nl'],
  ['Other_Number', 'No'],
  ['Punctuation', 'P'],
  ['punct', 'P'],
  ['Connector_Punctuation', 'Pc'],
  ['Dash_Punctuation', 'Pd'],
  ['Open_Punctuation', 'Ps'],
  ['Close_Punctuation', 'Pe'],
  ['Initial_Punctuation', 'Pi'],
  ['Final_Punctuation', 'Pf'],
  ['Other_Punctuation', 'Po'],
  ['Symbol', 'S'],
  ['Math_Symbol', 'Sm'],
  ['Currency_Symbol', 'Sc'],
  ['Modifier_Symbol', 'Sk'],
  ['Other_Symbol', 'So'],
  ['Separator', 'Z'],
  ['Space_Separator', 'Zs'],
  ['Line_Separator', 'Zl'],
  ['Paragraph_Separator', 'Zp'],
  ['Other', 'C'],
  ['Control', 'Cc'],
  ['Format', 'Cf'],
]);

/** `\p{Letter}` and `\p{Script=Greek}`, as JavaScript writes them, as RE2 reads them. */
function withShortProperties(source: string): string {
  return source.replace(
    /\\(?:([pP])\{(?:(?:Script|sc|General_Category|gc)=)?(\w+)\}|[\s\S])/g,
    (escaped, p: string | undefined, name = '') =>
      p === undefined ? escaped : `\\${p}{${CATEGORIES.get(name) ?? name}}`,
  );
}

/** What is wrong with a pattern of a schema, or the pattern. */
export function compilePattern(source: string): Pattern | string {
  if (source.length > LIMITS.patternLengthMax) {
    return `is longer than ${LIMITS.patternLengthMax} characters`;
  }
  let pattern: Pattern;
  try {
    pattern = new Pattern(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : '';
    return `is no regular expression that RE2 can run${reason === '' ? '' : ` (${reason.slice(0, 200)})`}`;
  }
  return pattern.size > LIMITS.patternSizeMax
    ? `is too large a regular expression: ${pattern.size} instructions, and ${LIMITS.patternSizeMax} are allowed. Use minLength and maxLength instead of large repetitions`
    : pattern;
}
