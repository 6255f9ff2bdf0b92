import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { StoreError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { readEvent } from '../../src/model/event.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import { type AppendAnswer, GroupCommit } from '../../src/store/group-commit.ts';
import { importLines } from '../../src/store/import.ts';
import type { AppendRequest, Backend } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { readAll } from '../helpers/reading.ts';

interface Line {
  readonly id: string;
  readonly type: string;
  readonly data: object;
}

/** A target without a registry. */
function targetOf(backend: Backend, appender: { append(request: AppendRequest): Promise<AppendAnswer> }) {
  return {
    backend,
    read: (line: string) => readEvent(line, { eventIds: 'uuidv7' }),
    append: (request: AppendRequest, onHandedOver: () => void) => {
      const answer = appender.append(request);
      onHandedOver();
      return answer;
    },
    refusals: async () => new Map<never, never>(),
  };
}

async function* input(lines: number): AsyncGenerator<Buffer> {
  for (let n = 0; n < lines; n += 1) yield Buffer.from(`{"type":"A","data":{"n":${n}}}\n`);
}

t.test('what is new among what is there keeps its order', async (t) => {
  const backend = await openStarted(t, 'memory:');
  const commits = new GroupCommit(backend, { metrics: createMetrics() });
  // So far away that the next chunk is sent before this one is stored, and again before its answer comes.
  const appender = {
    async append(request: AppendRequest): Promise<AppendAnswer> {
      await setTimeout(150);
      const answer = commits.append(request);
      answer.catch(() => undefined);
      await setTimeout(150);
      return await answer;
    },
  };
  const imported = async (lines: readonly Line[]) => {
    const sum = { imported: 0, duplicates: 0 };
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const target = targetOf(backend, appender);
    for await (const chunk of importLines(Readable.from([Buffer.from(text)]), target)) {
      sum.imported += chunk.imported;
      sum.duplicates += chunk.duplicates;
    }
    return sum;
  };
  const lines = Array.from({ length: 3500 }, (): Line => ({ id: uuidv7(), type: 'A', data: {} }));
  // The second chunk is new as a whole: it would be stored at once, and before the rest of the first.
  const there = lines.slice(0, 900).filter((_, n) => n % 7 === 3);
  t.same(await imported(there), { imported: there.length, duplicates: 0 });
  const rest = lines.filter((line) => !there.includes(line));
  // The same line twice, so near that both would be on their way at a time.
  const twice = lines.toSpliced(1200, 0, lines[5] as Line);
  t.same(await imported(twice), { imported: rest.length, duplicates: there.length + 1 });
  const stored = await readAll(backend, EVERYTHING);
  t.strictSame(
    stored.slice(there.length).map(({ id }) => id),
    rest.map(({ id }) => id),
  );
});

t.test('a chunk that the queue refuses is overtaken by none', async (t) => {
  const backend = await openStarted(t, 'memory:');
  const accepted: number[] = [];
  let refusals = 3;
  let tries = 0;
  const appender = {
    async append({ events }: AppendRequest): Promise<AppendAnswer> {
      tries += 1;
      const first = JSON.parse(`{${events[0]?.body.replace(/^,/, '')}}`).data.n;
      if (first >= 1000 && refusals > 0) {
        refusals -= 1;
        throw new StoreError('OVERLOADED', 'Full.');
      }
      accepted.push(first);
      await setTimeout(20);
      return { kind: 'stored', replayed: false, firstPosition: 1, recordedAt: '', ids: [], timestamps: [] };
    },
  };
  const outcomes: number[] = [];
  const target = targetOf(backend, appender);
  for await (const { line } of importLines(input(3200), target)) outcomes.push(line);
  t.strictSame(outcomes, [1000, 2000, 3000, 3200]);
  t.strictSame(accepted, [0, 1000, 2000, 3000]);
  t.equal(tries, 7);
});

t.test('a chunk that the store did not come to in time is sent again', async (t) => {
  const backend = await openStarted(t, 'memory:');
  const commits = new GroupCommit(backend, { metrics: createMetrics() });
  let appends = 0;
  const appender = {
    async append(request: AppendRequest): Promise<AppendAnswer> {
      appends += 1;
      if (appends > 2) return await commits.append(request);
      await setTimeout(20);
      throw new StoreError('OVERLOADED', 'The append lock was not granted in time.');
    },
  };
  let imported = 0;
  const target = targetOf(backend, appender);
  for await (const chunk of importLines(input(2500), target)) imported += chunk.imported;
  t.equal(imported, 2500);
  t.equal((await readAll(backend, EVERYTHING)).length, 2500);
  t.equal(appends, 5);
});

t.test('what the store fails with ends an import', async (t) => {
  const backend = await openStarted(t, 'memory:');
  let appends = 0;
  const appender = {
    async append(): Promise<AppendAnswer> {
      appends += 1;
      await setTimeout(20);
      throw new StoreError('READ_ONLY', 'The disk is full.');
    },
  };
  const chunks = importLines(input(9000), targetOf(backend, appender));
  await t.rejects(chunks.next(), { code: 'READ_ONLY' });
  t.equal(appends, 2, 'no more than was under way');
});

await backends(t, (t, kind) => {
  t.test('what the service added to an event makes no other one of it', async (t) => {
    const backend = await kind.open(t);
    const commits = new GroupCommit(backend, { metrics: createMetrics() });
    let runs = 0;
    // Adds to the metadata as it did in no run before.
    const appender = {
      append: (request: AppendRequest) => {
        runs += 1;
        const at = `"metadata":{"at":${runs}}`;
        const events = request.events.map((event) => ({
          ...event,
          body: event.body.replace('"metadata":{}', at),
          added: ['/metadata/at'],
        }));
        return commits.append({ ...request, events });
      },
    };
    const imported = async (lines: readonly object[]) => {
      const sum = { imported: 0, duplicates: 0, failed: 0 };
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      const target = targetOf(backend, appender);
      for await (const chunk of importLines(Readable.from([Buffer.from(text)]), target)) {
        sum.imported += chunk.imported;
        sum.duplicates += chunk.duplicates;
        sum.failed += chunk.failed.length;
      }
      return sum;
    };
    const lines = Array.from({ length: 60 }, (_, n) => ({ id: uuidv7(), type: 'A', data: { n } }));
    t.same(await imported(lines), { imported: 60, duplicates: 0, failed: 0 });
    t.match((await readAll(backend, EVERYTHING))[0]?.body, /"at":1/);
    const some = lines.filter((_, n) => n < 5 || n === 40 || n > 55);
    t.same(await imported(some), { imported: 0, duplicates: some.length, failed: 0 });
    const other = some.map((line, n) => (n === 3 ? { ...line, data: {} } : line));
    t.same(await imported(other), { imported: 0, duplicates: some.length - 1, failed: 1 });
    const stored = await readAll(backend, EVERYTHING);
    const exported = stored.map((event) => JSON.parse(`{"id":"${event.id}","type":"A",${event.body}}`));
    t.same(await imported(exported), { imported: 0, duplicates: 60, failed: 0 }, 'as it was exported');
    t.equal(stored.length, 60);
  });
});
