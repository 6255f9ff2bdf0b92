import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { compileFilter } from '../../src/model/filter.ts';
import { compileQuery, matches } from '../../src/model/query.ts';
import { type Recent, Window } from '../../src/store/window.ts';

const SEVENS = compileQuery({ items: [{ tags: { digit: '7' } }] });

function recent(position: number): Recent {
  return {
    position,
    id: `00000000-0000-7000-8000-${String(position).padStart(12, '0')}`,
    type: 'COUNTED',
    timestamp: '2026-11-21T09:30:00.000Z',
    terms: [`digit:${position % 10}`],
    body: '"version":1,"data":{}',
  };
}

function sevens(from: number, to: number): number[] {
  const found: number[] = [];
  for (let position = from + 1; position <= to; position += 1) if (position % 10 === 7) found.push(position);
  return found;
}

t.test('what nobody asks about is kept short, and is complete from its start on', (t) => {
  const window = new Window();
  window.reset(0);
  for (let position = 1; position <= 5000; position += 1) window.add(recent(position));
  t.ok(window.start >= 5000 - LIMITS.windowEventsMin, 'old events are gone');
  t.ok(window.start <= 5000 - LIMITS.windowEventsMin / 2, 'the newest are there');
  t.strictSame(
    window.conflicts({ query: SEVENS, after: window.start }, 10_000),
    sevens(window.start, 5000),
    'the first question is answered from everything that is there',
  );
  t.end();
});

for (const [what, ask] of [
  ['conditions', (window, after) => window.conflicts({ query: SEVENS, after }, 1)],
  ['reads', (window, after) => window.select(compileFilter({ after }), { limit: 1, descending: false })],
] as const satisfies [string, (window: Window, after: number) => unknown][]) {
  t.test(`it reaches as far back as ${what} ask`, (t) => {
    const window = new Window();
    window.reset(0);
    let position = 0;
    const addAndAsk = (events: number, back: number) => {
      for (let added = 0; added < events; added += 1) {
        position += 1;
        window.add(recent(position));
        if (position % 100 === 0) ask(window, position - back);
      }
    };
    addAndAsk(20_000, 3000);
    t.ok(position - window.start >= 3000, `${position - window.start} events for questions 3,000 back`);
    t.ok(position - window.start <= 12_000, 'and not many more');
    t.strictSame(window.conflicts({ query: SEVENS, after: 17_000 }, 10_000), sevens(17_000, 20_000));
    addAndAsk(20_000, 10);
    t.ok(position - window.start <= LIMITS.windowEventsMin, 'until nobody does any more');
    addAndAsk(20_000, 30_000);
    t.ok(position - window.start <= LIMITS.windowEventsMin, 'and not for what is out of reach');
    t.end();
  });
}

t.test('who asks for what came last is answered from far back', (t) => {
  const reading = new Window();
  const guarding = new Window();
  for (const window of [reading, guarding]) window.reset(0);
  for (let position = 1; position <= 8000; position += 1) {
    for (const window of [reading, guarding]) window.add(recent(position));
    if (position % 100 !== 0) continue;
    reading.select(compileFilter({}), { limit: 1, descending: true });
    guarding.last({ query: SEVENS, after: 0 });
  }
  for (const window of [reading, guarding]) {
    t.equal(window.start, 0);
    t.strictSame(window.conflicts({ query: SEVENS, after: 0 }, 10_000), sevens(0, 8000));
  }
  t.end();
});

t.test('whatever keys and types are asked about, in whatever order, every match is found', (t) => {
  const keys = Array.from({ length: 12 }, (_, n) => `k${n}`);
  const asked = [...keys, ...keys.toReversed()];
  const window = new Window();
  window.reset(0);
  const all: Recent[] = [];
  for (const [n, key] of asked.entries()) {
    for (let more = 0; more < 20; more += 1) {
      const position = all.length + 1;
      const terms = keys.map((name, k) => `${name}:${(position + k) % 3}`);
      all.push({ ...recent(position), type: `T${position % 2}`, terms });
      window.add(all.at(-1) as Recent);
    }
    const terms = [`${key}:1`, `k0:${n % 3}`];
    const items = [
      { types: new Set(['T1']), terms },
      { types: new Set([`T${n % 2}`]), terms: [] },
    ];
    const expected = all.filter((event) => matches({ items }, event)).map(({ position }) => position);
    t.strictSame(window.conflicts({ query: { items }, after: 0 }, 10_000), expected, key);
    t.equal(window.last({ query: { items }, after: 0 })?.position, expected.at(-1), key);
  }
  t.end();
});

t.test('of several lists the first positions are given, however many each of them has', (t) => {
  // Two halves of four: the older of the two generations ends in the middle.
  const window = new Window(8);
  window.reset(0);
  const types = ['B', 'B', 'A', 'B', 'A', 'A', 'B', 'A'];
  for (const [n, type] of types.entries()) window.add({ ...recent(n + 1), type });
  const query = compileQuery({ items: [{ types: ['A', 'B'] }, { tags: { digit: ['4'] } }] });
  for (let after = 0; after <= 8; after += 1) {
    const due = types.map((_, n) => n + 1).filter((position) => position > after);
    for (let limit = 1; limit <= 9; limit += 1)
      t.strictSame(window.conflicts({ query, after }, limit), due.slice(0, limit), `${limit} above ${after}`);
  }
  t.end();
});
