import fc from 'fast-check';
import { query, seldom, tagKey } from './inputs.ts';
import { json, quoted } from './texts.ts';

/** Rules, right, wrong and nearly right. Their types are their own: what they ask must not get in the way of other inputs. */
const type = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.stringMatching(/^Ruled\.[A-Za-z0-9_.:-]{0,6}$/).map((name) => JSON.stringify(name)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('"$stele.note"', '""', '"A B"', `"Ruled.${'T'.repeat(250)}"`, '5', 'null'),
  },
);
const types = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.uniqueArray(type, { minLength: 1, maxLength: 3 }).map((list) => `[${list.join(',')}]`),
  },
  { weight: 1, arbitrary: json },
);
const plainKey = tagKey.map((key) => JSON.stringify(key));
const pointer = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('"/data/n"', '"/tags/k"', '"/data/a~1b/0"', '"/version"', '"/timestamp"'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('""', '"/"', '"data"', '"/data/~"', '"/position"', '"/data~1n"', '5'),
  },
);
const transitions = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(types, fc.uniqueArray(fc.tuple(type, types), { maxLength: 3, selector: ([name]) => name }))
      .map(([first, rest]) => `{"":${first}${rest.map(([name, next]) => `,${name}:${next}`).join('')}}`),
  },
  { weight: 1, arbitrary: json },
);

/** The members of a rule of each kind, each mostly of the right kind. */
const RULE_MEMBERS: Readonly<Record<string, Readonly<Record<string, fc.Arbitrary<string>>>>> = {
  requires: {
    types,
    query: query(),
    sameTags: fc.array(plainKey, { maxLength: 2 }).map((list) => `[${list.join(',')}]`),
  },
  lifecycle: { tag: plainKey, transitions },
  unique: { types, tag: plainKey },
  compare: {
    types,
    left: pointer,
    operator: fc.constantFrom('"equals"', '"notEquals"', '"lt"', '"gte"', '"in"', '"matches"', 'null'),
    right: fc.oneof(pointer, json),
  },
};

/** A rule, at times of a kind that there is not, with a member too many, or with one missing. */
export const rule: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(...Object.keys(RULE_MEMBERS)), seldom(fc.tuple(quoted, json)), fc.nat(40))
  .chain(([kind, extra, missing]) =>
    fc.record({ ...RULE_MEMBERS[kind] }).map((members) => {
      const all: [string, string][] = [['"kind"', missing === 1 ? '"regex"' : `"${kind}"`]];
      for (const [name, value] of Object.entries(members)) all.push([`"${name}"`, value]);
      if (extra !== null) all.push(extra);
      if (missing === 0) all.pop();
      return `{${all.map(([name, value]) => `${name}:${value}`).join(',')}}`;
    }),
  );

/** A segment of a path that is a name of a rule, mostly. */
export const ruleName: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.stringMatching(/^[a-z0-9-]{1,12}$/) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('A', 'a_b', '%00', '%2e%2e', 'a'.repeat(65), '%F0%9F%98%80', '%ed%a0%80'),
  },
);
