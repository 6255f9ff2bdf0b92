import t from 'tap';
import { formOf } from '../../src/client/envelope.ts';
import {
  createClient,
  type Envelope,
  type EventShapes,
  failIfMatched,
  query,
} from '../../src/client/index.ts';
import { CODECS, ENVELOPES } from '../../src/model/envelopes/envelope.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { cutStream, LOG, playScript, stream } from './scripted-server.ts';

/** The same thing that happened, in each shape; the first two carry an id of the system they come from. */
const EVENTS: EventShapes = {
  cloudevents: {
    specversion: '1.0',
    id: 'evt_1',
    source: '/shop',
    type: 'ORDER.PLACED',
    time: '2026-01-02T03:04:05.000Z',
    tenant: 'a',
    data: { n: 1 },
  },
  stream: { event_id: 'evt_2', type: 'ORDER.PLACED', source: 'shop', version: '1.0', data: { n: 2 } },
  workflow: {
    pattern: 'ORDER.PLACED',
    version: '1.0',
    source: { type: 'external', id: 'shop' },
    payload: { n: 3 },
    metadata: { tenant: 'a' },
  },
  actor: {
    event_type: 'ORDER.PLACED',
    actor_type: 'human',
    actor_id: 'ada',
    schema_version: '1.0',
    payload: { n: 4 },
    metadata: { tags: { orderId: '7' } },
  },
};

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

t.test('the client names shapes as the service does', async (t) => {
  for (const envelope of ENVELOPES) {
    const { mediaType, listType, isBareList } = CODECS[envelope];
    t.match(formOf(envelope), { type: mediaType, listType, isBareList });
  }
});

for (const envelope of ENVELOPES) {
  t.test(`an event that is appended as ${envelope} is read as that`, async (t) => {
    const { origin } = await startHttpService(t);
    const client = createClient({ url: origin });
    const event = EVENTS[envelope];
    const { events } = await client.append(event, { envelope });
    const second = { ...event, [formOf(envelope).idMember]: 'evt_second' };
    await client.append([second], { envelope, conditions: [failIfMatched(query({ types: ['OTHER'] }))] });

    const id = events[0]?.id ?? '';
    const one = await client.get(id, { envelope });
    t.match(one, event, 'one');
    t.equal(await client.get('01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11', { envelope }), null);
    const page = await client.query({}, { envelope, limit: 1 });
    t.match(page, { events: [event], next: String, position: 2 });
    t.strictSame(page.events, [one], 'a page');
    const pages = await all(client.pages({}, { envelope, limit: 1 }));
    t.equal(pages.flatMap((page) => page.events).length, 2, 'pages');
    t.match(await all(client.read({}, { envelope })), [event, second], 'everything');

    const positions: number[] = [];
    for await (const followed of client.follow(
      {},
      { after: 0, envelope, onPosition: (position) => positions.push(position) },
    )) {
      t.match(followed, positions.length === 1 ? event : second, 'followed');
      if (positions.length === 2) break;
    }
    t.strictSame(positions, [1, 2]);
    t.match(await client.get(id), { type: 'ORDER.PLACED', position: 1 }, 'and in the form of Stele');
  });

  t.test(`an append as ${envelope} is checked, and stored once`, async (t) => {
    const { origin } = await startHttpService(t);
    const client = createClient({ url: origin });
    const event = { ...EVENTS[envelope], [formOf(envelope).idMember]: 'evt_9' };
    t.equal(await client.append(event, { envelope, dryRun: true }), undefined);
    t.equal(await client.append([event], { envelope, dryRun: true }), undefined);
    t.equal((await client.head()).position, 0, 'a dry run stores nothing');
    const { logId } = await client.info();
    await client.append(event, { envelope, log: logId });
    t.match(await client.append([event], { envelope, log: logId }), { replayed: true, firstPosition: 1 });
    const unique = [failIfMatched(query({ types: ['ORDER.PLACED'] }))];
    const other = { ...event, [formOf(envelope).idMember]: 'evt_10' };
    await t.rejects(client.append([other], { envelope, conditions: unique }), {
      code: 'APPEND_CONDITION_FAILED',
      problem: { violations: [{ condition: 0, positions: [1] }] },
    });
    await t.rejects(client.append([other], { envelope, log: LOG }), { code: 'LOG_MISMATCH' });
    const key = { envelope, idempotencyKey: 'k' };
    t.match(await client.append(other, key), { replayed: false, firstPosition: 2 });
    t.match(await client.append(other, key), { replayed: true, firstPosition: 2 });
  });

  t.test(`lines are imported as ${envelope}`, async (t) => {
    const { origin } = await startHttpService(t);
    const client = createClient({ url: origin });
    const event = { ...EVENTS[envelope], [formOf(envelope).idMember]: 'evt_1' };
    t.match(await client.importLines([JSON.stringify(event), '{}'], { envelope }), {
      imported: 1,
      rejected: 1,
    });
    t.match(await all(client.read({}, { envelope })), [event]);
  });
}

t.test('an event of another shape gets an id where the shape lets it go without one', async (t) => {
  const { origin } = await startHttpService(t);
  const client = createClient({ url: origin });
  for (const envelope of ['stream', 'workflow', 'actor'] as const) {
    const { idMember } = formOf(envelope);
    const { [idMember]: _, ...event } = { ...EVENTS[envelope] } as Record<string, unknown>;
    const sent = { ...event } as unknown as EventShapes[typeof envelope];
    t.match(await client.append(sent, { envelope }), { events: [{ id: /^[0-9a-f]{8}-[0-9a-f]{4}-7/ }] });
  }
  const { id: _, ...nameless } = EVENTS.cloudevents;
  await t.rejects(client.append(nameless as EventShapes['cloudevents'], { envelope: 'cloudevents' }), {
    code: 'VALIDATION_FAILED',
    problem: { errors: [{ pointer: '/id' }] },
  });
});

t.test('a read of more than a page in another shape holds every event once', async (t) => {
  const { origin } = await startHttpService(t);
  const client = createClient({ url: origin });
  const lines = Array.from({ length: 2345 }, (_, n) => `{"type":"N","data":{"n":${n}}}`);
  await client.importLines(lines);
  const read = await all(client.read({ eventTypes: ['N'] }, { envelope: 'stream' }));
  t.strictSame(
    read.map(({ data }) => data),
    lines.map((_, n) => ({ n })),
  );
});

t.test('a follower of a shape that shows no position goes on behind the last event', async (t) => {
  const frame = (position: number) =>
    `id: ${position}\ndata: {"type":"A","timestamp":"2026-01-02T03:04:05.000Z","data":{"n":${position}}}\n\n`;
  const { url, heard } = await playScript(t, [
    cutStream('text/event-stream', `${frame(3)}${frame(5)}id: 6\ndata: {"half`),
    stream('text/event-stream', frame(12)),
  ]);
  const client = createClient({ url, backoff: { baseMs: 1, maxMs: 5 } });
  const positions: number[] = [];
  const seen: unknown[] = [];
  const envelope: Envelope = 'stream';
  for await (const { data } of client.follow(
    {},
    { after: 2, envelope, onPosition: (position) => positions.push(position) },
  )) {
    if (seen.push(data) === 3) break;
  }
  t.strictSame(seen, [{ n: 3 }, { n: 5 }, { n: 12 }]);
  t.strictSame(positions, [3, 5, 12]);
  t.strictSame(
    heard.map(({ headers, query }) => [headers['last-event-id'], query.get('envelope')]),
    [
      ['2', 'stream'],
      ['5', 'stream'],
    ],
  );
});
