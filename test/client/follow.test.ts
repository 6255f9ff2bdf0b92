import t, { type Test } from 'tap';
import { createClient, type FollowOptions, type RecordedEvent, type Retry } from '../../src/client/index.ts';
import {
  answer,
  cutStream,
  hangUp,
  LOG,
  playScript,
  problem,
  recorded,
  type Scene,
  stream,
  wholeStream,
} from './scripted-server.ts';

const SSE = 'text/event-stream';
const frame = (position: number) => `id: ${position}\ndata: ${JSON.stringify(recorded(position))}\n\n`;
const control = (event: string, data: object, id?: number) =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;

async function setUp(t: Test, script: readonly Scene[], options: { silenceMs?: number } = {}) {
  const { url, heard } = await playScript(t, script);
  const retries: Retry[] = [];
  const client = createClient({
    url,
    backoff: { baseMs: 1, maxMs: 5 },
    onRetry: (retry) => retries.push(retry),
    ...options,
  });
  /** Follows until as many events have come. */
  const take = async (count: number, options: FollowOptions = {}): Promise<number[]> => {
    const events: RecordedEvent[] = [];
    for await (const event of client.follow({ issueIds: ['42'] }, options)) {
      if (events.push(event) === count) break;
    }
    return events.map(({ position }) => position);
  };
  return { client, heard, retries, take };
}

t.test('a stream that is cut goes on behind the last id, in the same log', async (t) => {
  const { heard, take } = await setUp(t, [
    cutStream(SSE, `retry: 2\n\n${frame(3)}${frame(5)}id: 6\ndata: {"half`),
    hangUp,
    problem(503, 'STORAGE_UNAVAILABLE'),
    cutStream(SSE, control('checkpoint', { position: 9 }, 9)),
    stream(SSE, frame(12)),
  ]);
  t.strictSame(await take(3, { after: 2 }), [3, 5, 12]);
  t.strictSame(
    heard.map(({ headers }) => headers['last-event-id']),
    ['2', '5', '5', '5', '9'],
  );
  t.strictSame(
    heard.map(({ query }) => query.get('log')),
    [null, LOG, LOG, LOG, LOG],
  );
  t.strictSame(heard[4]?.json, { issueIds: ['42'] });
});

t.test('who starts with the next event has a place before the first one comes', async (t) => {
  const { heard, take } = await setUp(t, [
    cutStream(SSE, ': hello\n\n', { 'stele-position': '40' }),
    stream(SSE, frame(41)),
  ]);
  t.strictSame(await take(1), [41]);
  t.strictSame(
    heard.map(({ headers }) => headers['last-event-id']),
    [undefined, '40'],
  );
});

t.test('who starts at a time keeps to it until there is a position', async (t) => {
  const { heard, take } = await setUp(t, [
    cutStream(SSE, ': hello\n\n', { 'stele-position': '40' }),
    cutStream(SSE, frame(12)),
    stream(SSE, frame(13)),
  ]);
  const since = '2026-11-21T09:30:00.000Z';
  t.strictSame(await take(2, { since }), [12, 13]);
  t.strictSame(
    heard.map(({ query, headers }) => [query.get('since'), headers['last-event-id']]),
    [
      [since, undefined],
      [since, undefined],
      [null, '12'],
    ],
  );
});

t.test('a service that stops is left at once and asked again', async (t) => {
  const { retries, take } = await setUp(t, [
    stream(SSE, frame(1) + control('shutdown', {})),
    wholeStream(SSE, frame(2)),
    stream(SSE, frame(3)),
  ]);
  t.strictSame(await take(3, { after: 0 }), [1, 2, 3]);
  t.strictSame(
    retries.map(({ error }) => error.message),
    ['The service is stopping.', 'The stream ended.'],
  );
});

t.test('a problem in the stream is waited out or thrown, as its code says', async (t) => {
  const { take } = await setUp(t, [
    stream(SSE, control('problem', { code: 'STORAGE_UNAVAILABLE', status: 503, detail: 'away' })),
    stream(SSE, frame(1) + control('problem', { code: 'STORAGE_ERROR', status: 500, detail: 'broken' })),
  ]);
  await t.rejects(take(2, { after: 0 }), { code: 'STORAGE_ERROR', message: 'broken' });
});

t.test('what time cannot heal is thrown', async (t) => {
  const { heard, take } = await setUp(t, [
    problem(409, 'POSITION_AHEAD'),
    problem(401, 'UNAUTHENTICATED'),
    cutStream(SSE, frame(1)),
    problem(409, 'LOG_MISMATCH'),
    answer(404, {}, { 'content-type': 'text/html' }),
  ]);
  await t.rejects(take(1, { after: 9 }), { code: 'POSITION_AHEAD' });
  await t.rejects(take(1, { after: 9 }), { code: 'UNAUTHENTICATED' });
  await t.rejects(take(2, { after: 0 }), { code: 'LOG_MISMATCH' });
  await t.rejects(take(1, { after: 0 }), { code: 'UNREACHABLE', status: 404 });
  t.equal(heard.length, 5);
});

t.test('a gap is an error, unless the consumer deals with it', async (t) => {
  const text = control('gap', { from: 1, to: 20 });
  const { heard, take } = await setUp(t, [stream(SSE, text), cutStream(SSE, text), stream(SSE, frame(21))]);
  await t.rejects(take(1, { after: 0 }), { code: 'COMPACTED' });
  const gaps: object[] = [];
  t.strictSame(await take(1, { after: 0, onGap: (gap) => gaps.push(gap) }), [21]);
  t.strictSame(gaps, [{ from: 1, to: 20 }]);
  t.equal(heard[2]?.headers['last-event-id'], '20', 'and is behind us afterwards');
});

t.test('the consumer hears once that it has caught up, and of each checkpoint', async (t) => {
  const { take } = await setUp(t, [
    cutStream(SSE, frame(1) + control('caught-up', { position: 3 }, 3) + control('news-of-2030', {})),
    stream(
      SSE,
      control('caught-up', { position: 3 }, 3) + control('checkpoint', { position: 7 }, 7) + frame(8),
    ),
  ]);
  const said: string[] = [];
  const positions = await take(2, {
    after: 0,
    onCaughtUp: (position) => said.push(`caught up ${position}`),
    onCheckpoint: (position) => said.push(`checkpoint ${position}`),
  });
  t.strictSame(positions, [1, 8]);
  t.strictSame(said, ['caught up 3', 'checkpoint 7']);
});

t.test('a connection that says nothing any more is given up', async (t) => {
  const { take, retries } = await setUp(t, [stream(SSE, frame(1)), stream(SSE, frame(2))], { silenceMs: 50 });
  t.strictSame(await take(2, { after: 0 }), [1, 2]);
  t.match(retries[0]?.error.message, /nothing was sent for 50 ms/);
});

t.test(
  'an abort ends the iteration, while it waits for an event and while it waits to reconnect',
  async (t) => {
    const { client } = await setUp(t, [
      stream(SSE, frame(1)),
      problem(503, 'OVERLOADED', {}, { 'retry-after': '60' }),
    ]);
    for (const expected of [[1], []]) {
      const controller = new AbortController();
      const positions: number[] = [];
      setTimeout(() => controller.abort(), 60);
      for await (const { position } of client.follow({}, { after: 0, signal: controller.signal })) {
        positions.push(position);
      }
      t.strictSame(positions, expected);
    }
  },
);

t.test('leaving the loop closes the connection', async (t) => {
  const closed = new Promise<void>((resolve) => {
    const scene: Scene = (response, heard) => {
      response.on('close', resolve);
      stream(SSE, frame(1) + frame(2))(response, heard);
    };
    void setUp(t, [scene]).then(({ take }) => take(1, { after: 0 }));
  });
  await closed;
});

t.test('what the consumer throws is its own, and is not taken for a fault of the network', async (t) => {
  const { client, heard } = await setUp(t, [stream(SSE, frame(1)), stream(SSE, control('caught-up', {}, 1))]);
  const loop = async () => {
    for await (const _ of client.follow({}, { after: 0 })) throw new Error('mine');
  };
  await t.rejects(loop(), { message: 'mine' });
  const onCaughtUp = () => {
    throw new Error('mine too');
  };
  await t.rejects(client.follow({}, { after: 0, onCaughtUp }).next(), { message: 'mine too' });
  t.equal(heard.length, 2);
});
