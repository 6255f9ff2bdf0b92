import fc from 'fast-check';
import t from 'tap';
import { Channel, ChannelIndex, channelKey } from '../../src/feed/channel.ts';
import { formOf, Run } from '../../src/feed/run.ts';
import type { Tags } from '../../src/model/event.ts';
import { compileFilter, EVERYTHING, type EventFilter, matchesFilter } from '../../src/model/filter.ts';
import type { CommittedEvent } from '../../src/store/group-commit.ts';
import { openStarted } from '../helpers/backends.ts';
import { database } from '../helpers/postgres.ts';
import { event, request, systemEvent } from '../helpers/requests.ts';
import { append, follow, openStage, upTo } from './stage.ts';

const LINES = formOf('ndjson', undefined);

/** Filtered streams: what they are sent is what the filter means, from wherever it is sent. */

const TYPES = ['A', 'A.B', 'B', '$stele.erased'];
const TERMS = ['k:1', 'k:2', 'issueId:1', 'issueId:2', '$correlationId:c', '$actorId:a'];

const committed: fc.Arbitrary<CommittedEvent[]> = fc
  .array(
    fc.record({
      type: fc.constantFrom(...TYPES),
      terms: fc.subarray(TERMS),
      id: fc.integer({ min: 0, max: 5 }),
    }),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  .map((events) =>
    events.map(({ type, terms, id }, index) => ({
      position: index + 11,
      id: `00000000-0000-7000-8000-00000000000${id}`,
      type,
      terms,
      timestamp: `2026-11-21T09:30:0${id}.000Z`,
      recordedAt: '2026-11-21T09:30:00.000Z',
      body: `"version":1,"tags":{},"metadata":{},"data":{"n":${index}}`,
    })),
  );

const filter: fc.Arbitrary<EventFilter> = fc.record(
  {
    items: fc.array(
      fc.oneof(
        fc.record({ types: fc.subarray(TYPES, { minLength: 1 }) }),
        fc.record({ tags: fc.constantFrom<Tags[]>({ k: '1' }, { k: ['1', '2'] }, { issueId: '1', k: '2' }) }),
        fc.record({
          types: fc.subarray(TYPES, { minLength: 1 }),
          tags: fc.constantFrom<Tags[]>({ k: '1' }, { issueId: '2' }),
        }),
      ),
      { minLength: 1, maxLength: 3 },
    ),
    eventIds: fc.constant(['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002']),
    eventTypes: fc.subarray(['A', 'A.*', '*', '$*', '$stele.erased', 'C'], { minLength: 1 }),
    issueIds: fc.subarray(['1', '2', '3'], { minLength: 1 }),
    correlationIds: fc.constant(['c']),
    actorIds: fc.constant(['a', 'b']),
    tags: fc.constantFrom<Tags[]>({ k: '1' }, { k: ['1', '2'] }),
    startTime: fc.constant('2026-11-21T09:30:02Z'),
    endTime: fc.constant('2026-11-21T09:30:04Z'),
    before: fc.integer({ min: 11, max: 24 }),
  },
  { requiredKeys: [] },
);

t.test('a channel is found for every event that its filter matches, and sends just these', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      committed,
      fc.array(filter, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 10, max: 23 }),
      fc.integer({ min: 0, max: 3 }),
      async (events, filters, cut, after, before) => {
        const head = 10 + events.length;
        const middle = Math.min(cut, events.length);
        const runs = [
          new Run(10, 10 + middle, events.slice(0, middle)),
          ...(middle < events.length ? [new Run(10 + middle, head, events.slice(middle))] : []),
        ];
        const index = new ChannelIndex();
        const channels = filters.map((members) => {
          const compiled = compileFilter(members);
          return new Channel(channelKey(compiled, LINES), compiled, LINES);
        });
        for (const channel of channels) index.add(channel);
        const candidates = index.candidates(runs);
        for (const [at, channel] of channels.entries()) {
          const meant = compileFilter(filters[at] ?? {});
          const span = { after, until: head - before };
          const wanted = events.filter(
            (one) => one.position > span.after && one.position <= span.until && matchesFilter(meant, one),
          );
          const selection = channel.select(runs, span);
          const lines = selection?.frame.payload.toString().trimEnd().split('\n') ?? [];
          const got = lines.map((line) => (JSON.parse(line) as { position: number }).position);
          if (wanted.length > 0 && !candidates.has(channel)) throw new Error('the channel was not found');
          if (JSON.stringify(got) !== JSON.stringify(wanted.map(({ position }) => position))) {
            throw new Error(`got ${got}`);
          }
          if ((selection?.count ?? 0) !== wanted.length) throw new Error('the count is wrong');
          if ((selection?.last ?? 0) !== (wanted.at(-1)?.position ?? 0)) throw new Error('the last is wrong');
        }
        for (const channel of channels) index.delete(channel);
        if (index.candidates(runs).size > 0) throw new Error('a channel was left behind');
      },
    ),
    { numRuns: 2000 },
  );
  t.pass('2,000 random logs and filters');
});

t.test('filters that select the same share a channel', async (t) => {
  const key = (members: EventFilter) => channelKey(compileFilter(members), formOf('sse', undefined));
  t.equal(key({ issueIds: ['1', '2'], after: 7 }), key({ issueIds: ['2', '1'] }));
  t.equal(key({}), channelKey(EVERYTHING, formOf('sse', undefined)));
  t.not(key({ issueIds: ['1'] }), key({ prIds: ['1'] }));
  t.not(key({ before: 9 }), key({}), 'where a stream ends makes a difference');
  t.not(key({}), channelKey(EVERYTHING, LINES));
});

t.test('a filtered stream is the filtered log, whether from the store, the ring or live', async (t) => {
  const stage = await openStage(t, { ring: { eventsMax: 30 } });
  const make = (index: number) => ({
    type: index % 3 === 0 ? 'A.B' : 'C',
    tags: { issueId: `${index % 5}`, n: `${index}` },
    metadata: { correlationId: `c${index % 2}` },
  });
  const filters: EventFilter[] = [
    { issueIds: ['1', '4'] },
    { eventTypes: ['A.*'], correlationIds: ['c1'] },
    { items: [{ types: ['C'], tags: { issueId: '2' } }, { tags: { n: '30' } }] },
    { tags: { n: '17' } },
    { eventTypes: ['NOTHING'] },
  ];
  await append(stage, 100, { make });
  const streams = filters.flatMap((members) =>
    [0, 55, 100].map((after) => ({ members, after, client: follow(t, stage, { after, filter: members }) })),
  );
  await Promise.all(streams.map(({ client }) => client.until(() => client.named('caught-up').length > 0)));
  await append(stage, 100, { batch: 7, make });
  const end = follow(t, stage, { after: 199 });
  await end.until(() => end.positions.length === 1);
  for (const { members, after, client } of streams) {
    const { events } = await stage.backend.read({
      filter: compileFilter({ ...members, after }),
      orderBy: 'position',
      direction: 'asc',
      limit: 1000,
      offset: 0,
    });
    await client.until(() => client.positions.length >= events.length);
    t.same(
      client.positions,
      events.map(({ position }) => position),
      `${JSON.stringify(members)} after ${after}`,
    );
  }
});

t.test('the records of the system itself reach only streams that name their type', async (t) => {
  const stage = await openStage(t);
  const all = follow(t, stage, { after: 0 });
  const named = follow(t, stage, { after: 0, filter: { eventTypes: ['$stele.*'] } });
  await Promise.all([all, named].map((client) => client.until(() => client.named('caught-up').length > 0)));
  await stage.appender.append(request({ events: [event(), systemEvent('$stele.erased'), event()] }));
  await stage.appender.append(request({ events: [systemEvent('$stele.erased')] }));
  await append(stage, 1);
  const later = follow(t, stage, { after: 0 });
  const fresh = await openStage(t, { backend: stage.backend });
  const laterNamed = follow(t, fresh, { after: 0, filter: { items: [{ types: ['$stele.erased'] }] } });
  for (const client of [all, later]) {
    await client.until(() => client.positions.length === 3);
    t.same(client.positions, [1, 3, 5]);
  }
  for (const client of [named, laterNamed]) {
    await client.until(() => client.positions.length === 2);
    t.same(client.positions, [2, 4]);
  }
});

t.test('they do so from other processes too', async (t) => {
  const url = await database(t);
  const one = await openStage(t, { backend: await openStarted(t, url) });
  const two = await openStage(t, { backend: await openStarted(t, url) });
  const all = follow(t, two, { after: 0 });
  const named = follow(t, two, { after: 0, filter: { eventTypes: ['$stele.*'] } });
  await Promise.all([all, named].map((client) => client.until(() => client.named('caught-up').length > 0)));
  await one.appender.append(request({ events: [event(), systemEvent('$stele.erased'), event()] }));
  await one.appender.append(request({ events: [systemEvent('$stele.erased'), event()] }));
  await all.until(() => all.positions.length === 3);
  await named.until(() => named.positions.length === 2);
  t.same(all.positions, [1, 3, 5]);
  t.same(named.positions, [2, 4]);
});

t.test('a stream that is bounded above ends when it gets there', async (t) => {
  const stage = await openStage(t, { timing: { tickMs: 10 } });
  await append(stage, 10);
  const past = follow(t, stage, { after: 3, filter: { before: 8 } });
  await past.until(() => past.ending !== undefined);
  t.same(past.positions, upTo(4, 7));
  t.same(
    past.named('caught-up').map(({ data }) => data),
    [{ position: 7 }],
  );
  const coming = follow(t, stage, { after: 8, filter: { before: 14 } });
  const nothing = follow(t, stage, { after: 8, filter: { before: 14, eventTypes: ['NOTHING'] } });
  await coming.until(() => coming.named('caught-up').length > 0);
  await append(stage, 6, { batch: 4 });
  for (const client of [coming, nothing]) {
    await client.until(() => client.ending !== undefined);
    t.equal(client.ending, 'ended');
  }
  t.same(coming.positions, upTo(9, 13));
  t.same(nothing.positions, []);
});
