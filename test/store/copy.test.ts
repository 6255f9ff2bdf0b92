import t, { type Test } from 'tap';
import { renderEvent } from '../../src/model/event.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import { compareLogs, copyLog } from '../../src/store/copy.ts';
import type { Backend, LoggedEvent } from '../../src/store/store.ts';
import { openStarted } from '../helpers/backends.ts';
import { database } from '../helpers/postgres.ts';
import { positionsOf, readAll } from '../helpers/reading.ts';
import { decide, event, store, systemEvent } from '../helpers/requests.ts';

const { signal } = new AbortController();
const ALL = { signal, compare: 'all' } as const;

const memory = (t: Test) => openStarted(t, 'memory:');
const postgres = async (t: Test) => openStarted(t, await database(t));

async function fill(backend: Backend, count: number): Promise<void> {
  for (let at = 0; at < count; at += 500) {
    const events = Array.from({ length: Math.min(500, count - at) }, (_, n) =>
      event({ type: `T${n % 3}`, tags: { n: `${n % 7}`, both: ['a', 'b'] }, data: { text: 'ü'.repeat(n) } }),
    );
    await store(backend, events);
  }
}

const write = (key: string, expectedRevision: number, body: string | null) => ({
  writes: [{ collection: 'c', key, expectedRevision, body }],
});

for (const [name, open] of [
  ['from memory to PostgreSQL', [memory, postgres]],
  ['from PostgreSQL to memory', [postgres, memory]],
  ['from PostgreSQL to PostgreSQL', [postgres, postgres]],
] as const) {
  t.test(`a copy is what the source is, ${name}`, async (t) => {
    const [from, to] = [await open[0](t), await open[1](t)];
    await fill(from, 3100);
    await store(from, [systemEvent('$stele.note')]);
    for (let n = 0; n < 40; n += 1) await decide(from, write(`k${n}`, 0, `{"n":${n}}`));
    const first = await copyLog(from, to, ALL);
    t.match(first, { logId: from.logId, events: 3101, documents: 40, position: 3101 });
    t.equal(first.compared.events, 3101);
    t.equal(to.logId, from.logId);
    t.strictSame(
      await to.documents({ collection: 'c', limit: 99 }),
      await from.documents({ collection: 'c', limit: 99 }),
    );
    const [copied, original] = [await readAll(to, EVERYTHING), await readAll(from, EVERYTHING)];
    t.equal(
      copied.map(renderEvent).join('\n') === original.map(renderEvent).join('\n'),
      true,
      'for readers too',
    );

    t.match(
      await copyLog(from, to, ALL),
      { events: 0, documents: 0, compared: first.compared },
      'again: nothing',
    );
    await fill(from, 10);
    await decide(from, write('k1', 1, '{"new":1}'));
    await decide(from, write('k2', 1, null));
    t.match(await copyLog(from, to, { ...ALL, compare: 'new' }), {
      events: 10,
      documents: 2,
      position: 3111,
      compared: { events: 10 },
    });
    t.strictSame(
      await to.documents({ collection: 'c', limit: 99 }),
      await from.documents({ collection: 'c', limit: 99 }),
    );
  });
}

t.test('a copy that was stopped goes on from where it is', async (t) => {
  const [from, to] = [await memory(t), await postgres(t)];
  await fill(from, 9000);
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  await t.rejects(copyLog(from, to, { signal: controller.signal, compare: 'all', onProgress }));
  const { position } = await to.head();
  t.ok(position > 0 && position < 9000, `stopped at ${position}`);
  t.match(await copyLog(from, to, ALL), { events: 9000 - position, compared: { events: 9000 } });
});

t.test('a store with another history is refused, and left as it is', async (t) => {
  const from = await memory(t);
  await fill(from, 5);
  const other = await postgres(t);
  await fill(other, 3);
  const refusal = { code: 'LOG_MISMATCH', message: /history of its own/ };
  await t.rejects(copyLog(from, other, ALL), refusal, 'another log');
  t.equal((await other.head()).position, 3);

  const ahead = await postgres(t);
  await copyLog(from, ahead, ALL);
  await fill(ahead, 1);
  await t.rejects(copyLog(from, ahead, ALL), refusal, 'a copy that went on by itself');
  await fill(from, 4);
  await t.rejects(
    copyLog(from, ahead, ALL),
    { ...refusal, message: /position 6 differ/ },
    'and was overtaken',
  );

  const written = await postgres(t);
  await decide(from, write('k', 0, '{}'));
  await copyLog(from, written, ALL);
  await decide(written, write('k', 1, '{"n":2}'));
  await t.rejects(copyLog(from, written, ALL), { code: 'LOG_MISMATCH', message: /c\/k is newer/ });
});

t.test('a copy up to a position ends there', async (t) => {
  const [from, to] = [await memory(t), await postgres(t)];
  await fill(from, 20);
  t.match(await copyLog(from, to, { ...ALL, upTo: 7 }), { events: 7, position: 7 });
  t.match(await copyLog(from, to, ALL), { events: 13, position: 20 });
});

t.test('gaps and a log that begins late are copied as they are', async (t) => {
  const [from, to] = [await memory(t), await postgres(t)];
  await fill(from, 30);
  const records: LoggedEvent[] = [];
  for await (const block of from.records({ after: 10, upTo: 30 }, { signal })) records.push(...block);
  const sparse = await memory(t);
  await sparse.load({ events: records.filter(({ position }) => position % 3 > 0) });
  await copyLog(sparse, to, ALL);
  t.strictSame(positionsOf(await readAll(to, EVERYTHING)), positionsOf(await readAll(sparse, EVERYTHING)));
  t.equal((await to.head()).oldest, 11);
});

t.test('a comparison names the first position that differs', async (t) => {
  const from = await memory(t);
  await fill(from, 50);
  const records: LoggedEvent[] = [];
  for await (const block of from.records({ after: 0, upTo: 50 }, { signal })) records.push(...block);
  const against = async (events: readonly LoggedEvent[]) => {
    const to = await memory(t);
    await to.load({ events });
    return (await compareLogs(from, to, { after: 0, upTo: 50, signal })).difference;
  };
  t.equal(await against(records), undefined);
  const changed = (changes: Partial<LoggedEvent>) =>
    records.map((record) => (record.position === 21 ? { ...record, ...changes } : record));
  for (const changes of [
    { body: '"version":1,"tags":{},"metadata":{},"data":{}' },
    { type: 'Other' },
    { terms: ['n:0'] },
    { recordedAt: '2026-01-01T00:00:00.000Z' },
    { timestamp: '2026-01-01T00:00:00.000Z' },
    { sent: 63 },
    { parts: 7 },
  ]) {
    t.match(await against(changed(changes)), /at position 21 differ/, JSON.stringify(changes));
  }
  t.match(await against(records.slice(0, 49)), /position 50 is missing/);
  t.match(await against(records.filter(({ position }) => position !== 8)), /position 8 is in one/);
});

/** A source that somebody writes to while it is copied: an event and a document before each of its first pages. */
function restless(inner: Backend, writes: number): Backend {
  let written = 0;
  return new Proxy(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (name !== 'documents') return member.bind(target);
      return async (...args: Parameters<Backend['documents']>) => {
        const page = await target.documents(...args);
        if (written < writes) {
          const key = written % 2 === 0 ? 'a' : 'z';
          const [before] = await target.documents({ collection: 'c', key, limit: 1 });
          written += 1;
          const { position } = await target.head();
          const body = JSON.stringify({ event: position + 1 });
          const change = { collection: 'c', key, expectedRevision: before?.revision ?? 0, body };
          await decide(target, { events: [event()], writes: [change] });
        }
        return page;
      };
    },
  });
}

t.test('documents are those of the position up to which events are copied', async (t) => {
  const named = async (backend: Backend) =>
    (await backend.documents({ collection: 'c', limit: 9 })).map(({ body }) => JSON.parse(body).event);
  const [inner, to] = [await memory(t), await memory(t)];
  for (const key of ['a', 'z']) await decide(inner, write(key, 0, '{"event":0}'));
  const copied = await copyLog(restless(inner, 5), to, ALL);
  const { position } = await to.head();
  t.equal(copied.documentsAt, position);
  t.equal(Math.max(...(await named(to))), position, 'the last event is there with its document');
  t.strictSame(await named(to), await named(inner));

  const busy = await memory(t);
  const never = await copyLog(restless(inner, 1000), busy, ALL);
  t.equal(never.documentsAt, null, 'a source that never rests is copied as well, and it is said');
  t.ok(
    Math.max(...(await named(busy))) <= (await busy.head()).position,
    'no document is ahead of the events',
  );
});
