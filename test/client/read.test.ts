import t, { type Test } from 'tap';
import { createClient } from '../../src/client/index.ts';
import {
  answer,
  cutStream,
  hangUp,
  playScript,
  problem,
  recorded,
  type Scene,
  wholeStream,
} from './scripted-server.ts';

const NDJSON = 'application/x-ndjson';
const line = (position: number) => `${JSON.stringify(recorded(position))}\n`;
const head = (position: number) => ({ 'stele-position': String(position) });

async function setUp(t: Test, script: readonly Scene[], retryForMs = 2000) {
  const { url, heard } = await playScript(t, script);
  const client = createClient({ url, retryForMs, backoff: { baseMs: 1, maxMs: 5 } });
  const read = async (filter = {}) => {
    const positions: number[] = [];
    for await (const { position } of client.read(filter)) positions.push(position);
    return positions;
  };
  return { client, heard, read };
}

t.test(
  'a read that breaks off goes on behind the last event, up to the head of the first answer',
  async (t) => {
    const { heard, read } = await setUp(t, [
      cutStream(NDJSON, `${line(1)}${line(2)}{"id":"0`, head(10)),
      hangUp,
      problem(503, 'STORAGE_UNAVAILABLE'),
      // Two more were stored meanwhile; the client has asked for what lies below 11.
      wholeStream(NDJSON, line(7) + line(10), head(12)),
    ]);
    t.strictSame(await read({ eventTypes: ['THING.*'] }), [1, 2, 7, 10]);
    t.strictSame(
      heard.map(({ json }) => json),
      [
        { eventTypes: ['THING.*'] },
        { eventTypes: ['THING.*'], before: 11, after: 2 },
        { eventTypes: ['THING.*'], before: 11, after: 2 },
        { eventTypes: ['THING.*'], before: 11, after: 2 },
      ],
    );
    t.match(heard[0], { path: '/v1/events/query', headers: { accept: NDJSON } });
  },
);

t.test('a bound of the caller that is narrower than the head stays', async (t) => {
  const { heard, read } = await setUp(t, [
    cutStream(NDJSON, line(1), head(10)),
    wholeStream(NDJSON, line(2), head(10)),
  ]);
  t.strictSame(await read({ before: 5 }), [1, 2]);
  t.strictSame(heard[1]?.json, { before: 5, after: 1 });
});

t.test('an answer that ends within an event is not taken for whole', async (t) => {
  const { read } = await setUp(t, [wholeStream(NDJSON, `${line(1)}{"id":"0`), wholeStream(NDJSON, line(2))]);
  t.strictSame(await read(), [1, 2]);
});

t.test('a read gives up when the time for tries is over', async (t) => {
  const { read } = await setUp(t, [cutStream(NDJSON, line(1)), hangUp], 0);
  await t.rejects(read(), { code: 'UNREACHABLE' });
});

t.test('pages follow the cursor, and keep the position of the first', async (t) => {
  const page = (positions: number[], next: string | null) =>
    answer(200, { events: positions.map(recorded), next, position: 10 });
  const { client, heard } = await setUp(t, [page([9, 8], 'c1'), page([7], null)]);
  const seen: number[][] = [];
  for await (const { events, position } of client.pages(
    {},
    { orderDirection: 'desc', limit: 2, offset: 1 },
  )) {
    seen.push([position, ...events.map((event) => event.position)]);
  }
  t.strictSame(seen, [
    [10, 9, 8],
    [10, 7],
  ]);
  t.strictSame(
    heard.map(({ json }) => json),
    [
      { orderDirection: 'desc', limit: 2, offset: 1 },
      { orderDirection: 'desc', limit: 2, cursor: 'c1' },
    ],
  );
});

t.test('nothing by that id is null, not an error', async (t) => {
  const { client, heard } = await setUp(t, [problem(404, 'NOT_FOUND')]);
  t.equal(await client.get('a/b'), null);
  t.equal(heard[0]?.path, '/v1/events/a%2Fb');
});
