import fc from 'fast-check';
import t from 'tap';
import type { Placed } from '../../src/model/query.ts';
import { LastSeen } from '../../src/store/last-seen.ts';

const TYPES = ['A', 'B', 'C', '$system'];
/** As rules ask: each with its own set, the same every time. */
const SETS = [new Set(['A', 'B']), new Set(['C']), undefined] as const;
const TERMS = Array.from({ length: 12 }, (_, n) => `key${n}:1`);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constantFrom(...TYPES), terms: fc.subarray(TERMS, { maxLength: 2 }) }),
  },
  // Somebody else appended so many events, of which this process heard nothing.
  {
    weight: 1,
    arbitrary: fc.record({ missed: fc.array(fc.constantFrom(...TERMS), { minLength: 1, maxLength: 3 }) }),
  },
  { weight: 6, arbitrary: fc.record({ asked: fc.constantFrom(...TERMS), set: fc.constantFrom(...SETS) }) },
);

t.test('what is said of a value is so, up to the position that is named', async (t) => {
  let said = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 60, maxLength: 120 }),
      fc.integer({ min: 2, max: 20 }),
      (steps, termsMax) => {
        const lastSeen = new LastSeen(termsMax);
        const log: Placed[] = [];
        for (const one of steps) {
          if ('type' in one) {
            log.push({ ...one, position: log.length + 1 });
            lastSeen.add(log.at(-1) as Placed);
          } else if ('missed' in one) {
            for (const term of one.missed) log.push({ type: 'A', terms: [term], position: log.length + 1 });
            lastSeen.interrupt();
          } else {
            const { asked, set } = one;
            const known = lastSeen.of(asked, set);
            if (known === undefined) continue;
            said += 1;
            const isOne = ({ type, terms }: Placed) =>
              terms.includes(asked) && (set === undefined ? !type.startsWith('$') : set.has(type));
            const last = log.findLast((event) => event.position <= known.until && isOne(event));
            t.match(
              { position: known.position, type: known.type },
              { position: last?.position, type: last?.type },
            );
            if (known.until > log.length) t.fail('there is no such position yet');
          }
        }
      },
    ),
    { numRuns: 500 },
  );
  t.ok(said > 1000, `${said} times something was known`);
});

t.test(
  'a value that was asked about is known from its next event on, and until it rests for long',
  async (t) => {
    const lastSeen = new LastSeen(8);
    const set = new Set(['A']);
    const event = (position: number, term: string): Placed => ({ position, type: 'A', terms: [term] });
    lastSeen.add(event(1, 'k:1'));
    t.equal(lastSeen.of('k:1', set), undefined, 'nobody had asked');
    lastSeen.add(event(2, 'k:1'));
    lastSeen.add(event(3, 'k:2'));
    t.strictSame(lastSeen.of('k:1', set), { position: 2, type: 'A', until: 3 });
    lastSeen.interrupt();
    t.strictSame(
      lastSeen.of('k:1', set),
      { position: 2, type: 'A', until: 3 },
      'and no further than it was seen',
    );
    lastSeen.add(event(9, 'k:2'));
    t.match(lastSeen.of('k:1', set), { until: 3 });
    for (let n = 0; n < 4; n += 1) lastSeen.of(`other:${n}`, set);
    t.match(lastSeen.of('k:1', set), { position: 2 }, 'one that is asked about stays');
    for (let n = 0; n < 12; n += 1) lastSeen.of(`another:${n}`, set);
    t.equal(lastSeen.of('k:1', set), undefined, 'one that is not is forgotten');
  },
);
