import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import type { Backend } from '../../src/store/store.ts';
import { eventually } from '../feed/stage.ts';
import { backends } from '../helpers/backends.ts';
import { exchange, type HttpService, openSocket, startHttpService } from '../helpers/http-service.ts';
import { append, linesOf, positions } from './stage.ts';

const LINES = { headers: { accept: 'application/x-ndjson' } };
const GET = (path: string, method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\nConnection: close\r\n\r\n`;

/** Enough that no socket buffers it all. */
async function fill(stele: HttpService, megabytes: number): Promise<number> {
  const events = Array.from({ length: 250 }, () => ({ data: { filling: 'x'.repeat(4000) } }));
  for (let batch = 0; batch < megabytes; batch += 1) await append(stele, events);
  return megabytes * 250;
}

/** Counts the scans that are open, and those that there have been. */
function watchScans({ service: { backend } }: HttpService): { open: number; all: number } {
  const scans = { open: 0, all: 0 };
  const scan = backend.scan.bind(backend);
  backend.scan = async function* (...args: Parameters<Backend['scan']>) {
    scans.open += 1;
    scans.all += 1;
    try {
      yield* scan(...args);
    } finally {
      scans.open -= 1;
    }
  };
  return scans;
}

async function stalled(stele: HttpService, path: string): Promise<Socket> {
  const socket = await openSocket(stele.port);
  socket.pause();
  socket.write(GET(path));
  return socket;
}

/** The positions of everything that comes out of a socket, read to its end. */
async function readPositions(socket: Socket): Promise<number[]> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  await once(socket, 'end');
  const text = Buffer.concat(chunks).toString();
  if (!text.endsWith('\r\n0\r\n\r\n')) throw new Error('the answer broke off');
  return [...text.matchAll(/"position":(\d+),"recordedAt"/g)].map(([, position]) => Number(position));
}

t.test('a reader that pauses misses nothing and holds nothing', { timeout: 60_000 }, async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const count = await fill(stele, 16);
    const scans = watchScans(stele);
    const socket = await stalled(stele, '/v1/events');
    await eventually(() => scans.all === 1 && scans.open === 0, 'its scan has ended');
    await append(stele, [{}]);
    const found = await readPositions(socket);
    t.same(
      found,
      Array.from({ length: count }, (_, index) => index + 1),
      'all up to the head at the start, once, in order',
    );
    t.ok(scans.all > 1, 'with a new scan');
    await eventually(() => scans.open === 0, 'no scan is left');
  });
});

t.test('readers that pause keep nobody from reading', { timeout: 60_000 }, async (t) => {
  const stele = await startHttpService(t);
  const count = await fill(stele, 12);
  const paused = await Promise.all(Array.from({ length: 6 }, () => stalled(stele, '/v1/events')));
  t.equal(linesOf(await stele.call('/v1/events', LINES)).length, count);
  for (const socket of paused) t.equal((await readPositions(socket)).length, count);
});

t.test('a reader that leaves ends its scan', { timeout: 30_000 }, async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await fill(stele, 12);
    const scans = watchScans(stele);
    for (const path of ['/v1/events', '/v1/events?eventTypes=A']) {
      const socket = await stalled(stele, path);
      await once(socket.resume(), 'data');
      socket.destroy();
    }
    await eventually(() => scans.all > 0 && scans.open === 0, 'no scan is left');
    t.notOk(
      stele.logged.some(({ level }) => level >= 50),
      'which is not an error',
    );
    t.equal((await stele.call('/v1/events?limit=1')).status, 200);
  });
});

t.test('an answer that fails midway does not look complete', async (t) => {
  const stele = await startHttpService(t);
  await append(
    stele,
    Array.from({ length: 600 }, () => ({})),
  );
  const { backend } = stele.service;
  const scan = backend.scan.bind(backend);
  let blocks = 0;
  backend.scan = async function* (...args: Parameters<Backend['scan']>) {
    for await (const block of scan(...args)) {
      blocks += 1;
      if (blocks > 1) throw new StoreError('STORAGE_UNAVAILABLE', 'The store has gone.');
      yield block;
    }
  };
  const text = await exchange(stele.port, GET('/v1/events')).catch((error: Error) => error.message);
  t.match(text, /"position":256/);
  t.notMatch(text, /"position":257/);
  t.notMatch(text, /\r\n0\r\n\r\n$/, 'the last chunk is missing');
  blocks = 1;
  const answer = await stele.call('/v1/events', LINES);
  t.match(
    answer,
    { status: 503, headers: { 'content-type': 'application/problem+json' } },
    'at once it is told',
  );
});

t.test('HEAD reads nothing', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, [{}]);
  const scans = watchScans(stele);
  const answer = await stele.call('/v1/events', { ...LINES, method: 'HEAD' });
  t.match(answer, { status: 200, text: '', headers: { 'stele-position': '1' } });
  t.equal(scans.all, 0);
});

t.test('an empty log is an empty answer', async (t) => {
  const stele = await startHttpService(t);
  t.match(await stele.call('/v1/events', LINES), { status: 200, text: '' });
  t.match(await stele.call('/v1/events?orderBy=type', LINES), { status: 200, text: '' });
});

t.test('with follow the lines go on live', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, [{ type: 'A' }, { type: 'B' }, { type: 'A' }]);
  const socket = await openSocket(stele.port);
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  socket.write(GET('/v1/events?follow=true&after=1&eventTypes=A'));
  await eventually(() => text.includes('"position":3'), 'what is stored comes first');
  await append(stele, [{ type: 'B' }, { type: 'A' }]);
  await eventually(() => text.includes('"position":5'), 'then what is appended');
  const found = text
    .split('\r\n')
    .flatMap((piece) => piece.split('\n').filter((line) => line.startsWith('{')));
  t.same(positions(found.map((line) => JSON.parse(line) as { position: number })), [3, 5]);
  t.match(text, /content-type: application\/x-ndjson/i);
  t.match(await stele.call('/v1/events?follow=true&after=9', LINES), { status: 409, text: /POSITION_AHEAD/ });
});

t.test('the stored text is passed on as it is', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const data = '{"n": 1.50, "é":"\\u00e9\\n\\ud83d\\ude00", "deep":[[{}], 1E2]}';
    const body = `{"type":"A","data":${data}}`;
    t.equal((await stele.call('/v1/events', { method: 'POST', body })).status, 201);
    for (const path of ['/v1/events', '/v1/events?eventTypes=A', '/v1/events?orderBy=timestamp']) {
      t.ok((await stele.call(path, LINES)).text.includes(`"data":${data}`), path);
      t.ok((await stele.call(path)).text.includes(`"data":${data}`), `${path} as a page`);
    }
    t.equal(
      (await stele.service.backend.aggregate({ filter: EVERYTHING, groupBy: [], limit: 1 }))[0]?.count,
      1,
    );
  });
});
