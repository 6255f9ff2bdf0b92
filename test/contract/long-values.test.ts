import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { compileFilter, type EventFilter } from '../../src/model/filter.ts';
import type { LoggedEvent } from '../../src/store/store.ts';
import { backends } from '../helpers/backends.ts';
import { chosenSeed, random } from '../helpers/random.ts';
import { positionsOf, readPage } from '../helpers/reading.ts';
import { decide, event, store } from '../helpers/requests.ts';

const seed = chosenSeed();
const { between } = random(seed);
t.comment(`seed ${seed}`);

/** Characters of four bytes that no database can compress: an entry of an index is as long as it can get. */
const wide = (length: number) =>
  Array.from({ length }, () => String.fromCodePoint(between(0x10000, 0x10ffff))).join('');

const KEY = 'k'.repeat(LIMITS.tagKeyLengthMax);
const value = wide(LIMITS.tagValueLengthMax);
const text = () => wide(LIMITS.metadataValueLengthMax);
const metadata = { correlationId: text(), causationId: text(), actorId: text(), source: text() };
const filters: readonly EventFilter[] = [
  { tags: { [KEY]: value } },
  { tags: { [KEY]: [value] }, eventTypes: ['A'] },
  { correlationIds: [metadata.correlationId] },
  { causationIds: [metadata.causationId] },
  { actorIds: [metadata.actorId] },
  { sources: [metadata.source] },
];

await backends(t, (t, kind) => {
  t.test('the longest values of the widest characters are stored, found, and guarded', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ tags: { [KEY]: value }, metadata })]);
    await store(backend, [event({ tags: { [KEY]: `${[...value].slice(1).join('')}x` } })]);
    for (const filter of filters) {
      t.strictSame(positionsOf(await readPage(backend, { filter: compileFilter(filter) })), [1]);
    }
    const conditions = [{ failIfEventsMatch: { items: [{ tags: { [KEY]: value } }] } }];
    t.match(await decide(backend, { events: [event()], conditions }), {
      kind: 'condition-failed',
      violations: [{ condition: 0, positions: [1] }],
    });
    t.ok((await backend.tags({ key: KEY, limit: 9 })).includes(value));
    const groups = await backend.aggregate({
      filter: compileFilter({ before: 2 }),
      groupBy: [`tag:${KEY}`],
      limit: 9,
    });
    t.match(groups, [{ key: { [`tag:${KEY}`]: value }, count: 1 }]);
  });

  t.test('they are copied, and known after the removal', async (t) => {
    const from = await kind.open(t);
    await store(from, [event({ tags: { [KEY]: value }, metadata }), event()]);
    const { signal } = new AbortController();
    const records: LoggedEvent[] = [];
    for await (const block of from.records({ after: 0, upTo: 9 }, { signal })) records.push(...block);
    const to = await kind.open(t);
    await to.load({ events: records });
    for (const filter of filters) {
      t.strictSame(positionsOf(await readPage(to, { filter: compileFilter(filter) })), [1]);
    }
    t.equal(await to.remove({ after: 0, upTo: 1 }, { reason: 'test', signal }), 1);
    const conditions = [{ failIfEventsMatch: { items: [{ tags: { [KEY]: value } }] } }];
    t.match(await decide(to, { events: [event()], conditions }), { kind: 'condition-failed' });
  });

  t.test('a document has as long a key', async (t) => {
    const backend = await kind.open(t);
    const key = `${wide(LIMITS.aggregateIdLengthMax)}\u{10ffff}${Number.MAX_SAFE_INTEGER}`;
    const writes = [{ collection: 'snapshot-about', key, expectedRevision: 0, body: '{}' }];
    t.match(await decide(backend, { writes }), { kind: 'stored' });
    t.match(await backend.documents({ collection: 'snapshot-about', key, limit: 1 }), [{ key }]);
  });
});
