import { Kind, type StringOptions, type TSchema, Type, TypeRegistry } from '@sinclair/typebox';

/**
 * A schema of text whose length counts characters (code points), as JSON Schema and the contract do. TypeBox counts
 * UTF-16 units: to it 😀 is two.
 */
export function Text(
  options: Pick<StringOptions, 'minLength' | 'maxLength' | 'pattern' | 'description' | 'examples'>,
) {
  return Type.Unsafe<string>({ ...options, [Kind]: TEXT, type: 'string' });
}

const TEXT = 'Text';
const patterns = new Map<string, RegExp>();

export function isTextSchema(schema: TSchema): boolean {
  return schema[Kind] === TEXT;
}

TypeRegistry.Set<TSchema>(TEXT, ({ minLength = 0, maxLength, pattern }, value) => {
  if (typeof value !== 'string' || value.length < minLength) return false;
  // A text has at most as many characters as units, and at least half as many: few have to be counted.
  if (maxLength !== undefined && value.length > maxLength) {
    if (value.length > 2 * maxLength || charactersOf(value) > maxLength) return false;
  }
  return pattern === undefined || compiled(pattern).test(value);
});

function charactersOf(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function compiled(pattern: string): RegExp {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  const made = new RegExp(pattern);
  patterns.set(pattern, made);
  return made;
}
