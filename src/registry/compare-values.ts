import type { Comparison, Narrow } from './comparison.ts';
import { areBeyond, areIntegers, areMultiplesOf, boundOf, type Conjunct } from './schema-facts.ts';
import { typesOf } from './value-checks.ts';

/** Formats that every text of another format has as well; by construction, see `formats.ts`. */
const WIDER_FORMATS: Readonly<Record<string, readonly string[]>> = {
  email: ['idn-email'],
  uri: ['iri'],
  'uri-reference': ['iri-reference'],
};
const FORMATS_OF_NUMBERS: readonly string[] = ['int32', 'int64'];
const FORMATS_OF_ALL: readonly string[] = ['binary', 'password', 'float', 'double'];

/** Numbers and texts: whether what a schema asks of them is asked of the narrow ones already. */
export function coversPlain(
  comparison: Comparison,
  narrow: Narrow,
  conjunct: Conjunct,
  kind: 'number' | 'string',
): boolean {
  return kind === 'number'
    ? coversNumbers(comparison, narrow, conjunct)
    : coversTexts(comparison, narrow, conjunct);
}

function coversNumbers(comparison: Comparison, narrow: Narrow, { node, schema }: Conjunct): boolean {
  const { conjuncts } = narrow;
  let isMet = true;
  const types = typesOf(schema['type']);
  if (types.includes('integer') && !types.includes('number') && !areIntegers(conjuncts)) {
    isMet = comparison.report(node, 'type', narrow, {
      backward: 'accepts integers only, and other numbers were accepted before',
      forward: 'accepted integers only before, and accepts other numbers now',
    });
  }
  const bounds = [
    ['minimum', false, 1],
    ['exclusiveMinimum', true, 1],
    ['maximum', false, -1],
    ['exclusiveMaximum', true, -1],
  ] as const;
  for (const [keyword, isExclusive, sign] of bounds) {
    const bound = schema[keyword];
    if (typeof bound === 'number' && !areBeyond(conjuncts, { bound, isExclusive, sign })) {
      isMet = narrows(comparison, narrow, { node, schema }, keyword);
    }
  }
  const { multipleOf, format } = schema;
  if (typeof multipleOf === 'number' && !areMultiplesOf(conjuncts, multipleOf)) {
    isMet = narrows(comparison, narrow, { node, schema }, 'multipleOf');
  }
  if (typeof format === 'string' && FORMATS_OF_NUMBERS.includes(format)) {
    const own = conjuncts.map(({ schema: { format } }) => format);
    if (!own.includes(format) && !(format === 'int64' && own.includes('int32'))) {
      isMet = narrows(comparison, narrow, { node, schema }, 'format');
    }
  }
  return isMet;
}

function coversTexts(comparison: Comparison, narrow: Narrow, conjunct: Conjunct): boolean {
  const { conjuncts } = narrow;
  const { minLength, maxLength, pattern, format } = conjunct.schema;
  let isMet = true;
  if (typeof minLength === 'number' && (boundOf(conjuncts, 'minLength', 'max') ?? 0) < minLength) {
    isMet = narrows(comparison, narrow, conjunct, 'minLength');
  }
  if (
    typeof maxLength === 'number' &&
    (boundOf(conjuncts, 'maxLength', 'min') ?? Number.POSITIVE_INFINITY) > maxLength
  ) {
    isMet = narrows(comparison, narrow, conjunct, 'maxLength');
  }
  if (pattern !== undefined && !conjuncts.some(({ schema }) => schema['pattern'] === pattern)) {
    isMet = narrows(comparison, narrow, conjunct, 'pattern');
  }
  if (typeof format === 'string' && ![...FORMATS_OF_NUMBERS, ...FORMATS_OF_ALL].includes(format)) {
    const isImplied = conjuncts.some(
      ({ schema: { format: own } }) =>
        own === format || (typeof own === 'string' && WIDER_FORMATS[own]?.includes(format) === true),
    );
    if (!isImplied) isMet = narrows(comparison, narrow, conjunct, 'format');
  }
  return isMet;
}

/** Reports that a keyword asks for more than was asked for. */
export function narrows(
  comparison: Comparison,
  narrow: Pick<Narrow, 'conjuncts'>,
  { node, schema }: Conjunct,
  keyword: string,
): false {
  const own = narrow.conjuncts.find((conjunct) => Object.hasOwn(conjunct.schema, keyword))?.schema[keyword];
  const [wide, past] = [JSON.stringify(schema[keyword]), own === undefined ? 'none' : JSON.stringify(own)];
  return comparison.report(node, keyword, narrow, {
    backward: `is ${wide}, and was ${past} before: fewer values are accepted, or it cannot be shown that they are not`,
    forward: `is ${past}, and was ${wide} before: more values are accepted, or it cannot be shown that they are not`,
  });
}
