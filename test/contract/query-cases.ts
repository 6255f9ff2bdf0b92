import type { EventInput } from '../../src/model/event.ts';
import type { Query } from '../../src/model/query.ts';

/**
 * What a query means, as data: an event, a query, and whether they match. Each case is decided by matches(), by a
 * condition and by a read of every backend, which have to agree.
 *
 * Most cases are here because a store somewhere got them wrong: comparison by collation or as numbers, wildcards
 * of LIKE, tags that a query names twice, prototype members, tags of one event spread over several rows.
 */
export interface QueryCase {
  readonly name: string;
  readonly event: Partial<EventInput>;
  readonly query: Query;
  readonly isMatch: boolean;
}

type Tags = NonNullable<EventInput['tags']>;

const ofType = (type: string, ...types: string[]): Pick<QueryCase, 'event' | 'query'> => ({
  event: { type },
  query: { items: [{ types }] },
});

const ofTags = (tags: Tags, ...wanted: Tags[]): Pick<QueryCase, 'event' | 'query'> => ({
  event: { tags },
  query: { items: wanted.map((item) => ({ tags: item })) },
});

const LONG = 'x'.repeat(256);

const MATCHES: Record<string, Pick<QueryCase, 'event' | 'query'>> = {
  'a query without items matches an event without tags': { event: {}, query: {} },
  'a query without items matches an event with tags': { event: { tags: { a: '1' } }, query: {} },
  'the type is the one asked for': ofType('A', 'A'),
  'the type is one of several': ofType('A', 'B', 'A', 'C'),
  'the type is named twice': ofType('A', 'A', 'A'),
  'the type is one of a hundred': ofType('T99', ...Array.from({ length: 100 }, (_, n) => `T${n}`)),
  'the type has all the characters there are': ofType('9aZ_.:-', '9aZ_.:-'),
  'the type has 255 characters': ofType('t'.repeat(255), 't'.repeat(255)),
  'the tag is the one asked for': ofTags({ a: '1' }, { a: '1' }),
  'the event has more tags than asked for': ofTags({ a: '1', b: '2', c: '3' }, { b: '2' }),
  'all tags are there': ofTags({ a: '1', b: '2', c: '3' }, { c: '3', a: '1' }),
  'one value of several is asked for': ofTags({ student: ['1', '2'] }, { student: '2' }),
  'both values of a key are asked for': ofTags({ student: ['1', '2', '3'] }, { student: ['3', '1'] }),
  'a tag is asked for twice': ofTags({ student: '1' }, { student: ['1', '1'] }),
  'the second item matches': ofTags({ a: '1' }, { a: '2' }, { a: '1' }),
  'both items match': ofTags({ a: '1', b: '1' }, { a: '1' }, { b: '1' }),
  'an item stands there twice': ofTags({ a: '1' }, { a: '1' }, { a: '1' }),
  'the last of 64 items matches': ofTags(
    { n: '63' },
    ...Array.from({ length: 64 }, (_, n) => ({ n: `${n}` })),
  ),
  'type and tag are both there': {
    event: { type: 'A', tags: { a: '1' } },
    query: { items: [{ types: ['B', 'A'], tags: { a: '1' } }] },
  },
  'one item asks for the type, another for a tag that is not there': {
    event: { type: 'A' },
    query: { items: [{ tags: { a: '1' } }, { types: ['A'] }] },
  },
  'the value holds a colon': ofTags({ a: 'b:c:' }, { a: 'b:c:' }),
  'the value holds quotes, braces and a backslash': ofTags({ a: `"'\\{},[]` }, { a: `"'\\{},[]` }),
  'the value holds blanks and line breaks': ofTags({ a: ' a\n\tb ' }, { a: ' a\n\tb ' }),
  'the value is a single blank': ofTags({ a: ' ' }, { a: ' ' }),
  'the value reads NULL': ofTags({ a: 'NULL' }, { a: 'NULL' }),
  'the value is beyond the first plane': ofTags({ a: '👩‍🚀' }, { a: '👩‍🚀' }),
  'the value has 256 characters': ofTags({ a: LONG }, { a: LONG }),
  'the key is a member of every object': ofTags({ constructor: '1' }, { constructor: '1' }),
  'the key has all the characters there are': ofTags({ '_.-9aZ': '1' }, { '_.-9aZ': '1' }),
  'the event has 64 tags and all are asked for': ofTags(
    { n: Array.from({ length: 64 }, (_, n) => `${n}`) },
    { n: Array.from({ length: 64 }, (_, n) => `${n}`) },
  ),
};

const MISSES: Record<string, Pick<QueryCase, 'event' | 'query'>> = {
  'another type': ofType('A', 'B'),
  'a type in another case': ofType('Order', 'order'),
  'a type that begins with the one asked for': ofType('AB', 'A'),
  'a type that is the beginning of the one asked for': ofType('A', 'AB'),
  'an underscore is no wildcard in a type': ofType('A1B', 'A_B'),
  'a dot is no wildcard in a type': ofType('A1B', 'A.B'),
  'a type that nobody ever used': ofType('A', 'NeverSeenBefore'),
  'the event has no tags': { event: {}, query: { items: [{ tags: { a: '1' } }] } },
  'another value': ofTags({ a: '1' }, { a: '2' }),
  'the same value under another key': ofTags({ a: '1' }, { b: '1' }),
  'a key in another case': ofTags({ issueId: '1' }, { issueid: '1' }),
  'a key that begins with the one asked for': ofTags({ issueId2: '1' }, { issueId: '1' }),
  'a value in another case': ofTags({ a: 'Ada' }, { a: 'ada' }),
  'a trailing blank': ofTags({ a: '1 ' }, { a: '1' }),
  'a leading blank': ofTags({ a: ' 1' }, { a: '1' }),
  'a trailing blank in the query': ofTags({ a: '1' }, { a: '1 ' }),
  'numbers are text: a leading zero': ofTags({ a: '01' }, { a: '1' }),
  'numbers are text: an exponent': ofTags({ a: '1e3' }, { a: '1000' }),
  'numbers are text: a decimal': ofTags({ a: '1.0' }, { a: '1' }),
  'no Unicode normalisation': ofTags({ a: '\u00e9' }, { a: 'e\u0301' }),
  'no folding of ligatures': ofTags({ a: 'ﬁ' }, { a: 'fi' }),
  'no folding of sharp s': ofTags({ a: 'ß' }, { a: 'ss' }),
  'a soft hyphen counts': ofTags({ a: 'a\u00adb' }, { a: 'ab' }),
  'a percent sign is no wildcard': ofTags({ a: 'abc' }, { a: 'a%' }),
  'an underscore is no wildcard': ofTags({ a: 'abc' }, { a: 'a_c' }),
  'a star is no wildcard': ofTags({ a: 'abc' }, { a: 'a*' }),
  'a value that begins with the one asked for': ofTags({ a: '12' }, { a: '1' }),
  'long values that differ in the last character': ofTags({ a: LONG }, { a: `${LONG.slice(1)}y` }),
  'a key and value that are cut elsewhere': ofTags({ a: 'b:c' }, { a: 'b' }, { a: 'c' }),
  'one of two tags is missing': ofTags({ a: '1' }, { a: '1', b: '2' }),
  'one of two values is missing': ofTags({ student: ['1', '2'] }, { student: ['1', '3'] }),
  'a value of one key is no value of another': ofTags({ a: ['1', '2'], b: '3' }, { a: '3' }),
  'the tags of two items do not add up': ofTags({ a: '1', b: '2' }, { a: '1', c: '3' }, { b: '2', d: '4' }),
  'the type is there, the tag is not': {
    event: { type: 'A', tags: { a: '2' } },
    query: { items: [{ types: ['A'], tags: { a: '1' } }] },
  },
  'the tag is there, the type is not': {
    event: { type: 'B', tags: { a: '1' } },
    query: { items: [{ types: ['A'], tags: { a: '1' } }] },
  },
  'type of one item, tag of another': {
    event: { type: 'A', tags: { a: '1' } },
    query: {
      items: [
        { types: ['A'], tags: { a: '2' } },
        { types: ['B'], tags: { a: '1' } },
      ],
    },
  },
  'a metadata member is no tag': {
    event: { metadata: { correlationId: '1' } },
    query: { items: [{ tags: { correlationId: '1' } }] },
  },
  'a member of the data is no tag': {
    event: { data: { a: '1' } },
    query: { items: [{ tags: { a: '1' } }] },
  },
  'what every object has is no tag': { event: {}, query: { items: [{ tags: { toString: '1' } }] } },
};

export const QUERY_CASES: readonly QueryCase[] = [
  ...Object.entries(MATCHES).map(([name, parts]) => ({ name: `matches: ${name}`, ...parts, isMatch: true })),
  ...Object.entries(MISSES).map(([name, parts]) => ({ name: `misses: ${name}`, ...parts, isMatch: false })),
];
