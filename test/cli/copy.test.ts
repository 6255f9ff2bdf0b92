import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { copyLog } from '../../src/store/copy.ts';
import { openStarted } from '../helpers/backends.ts';
import { lines, startStele, stele, temporaryFolder } from '../helpers/command-line.ts';
import { database } from '../helpers/postgres.ts';
import { event, store } from '../helpers/requests.ts';

const BATCHES = 40;

t.test('a copy that is killed half-way is gone on with by the next run', async (t) => {
  const [from, to] = [await database(t), await database(t)];
  const source = await openStarted(t, from);
  const data = { text: 'x'.repeat(400) };
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await store(
      source,
      Array.from({ length: 1000 }, (_, n) => event({ tags: { n: `${n}` }, data })),
    );
  }
  const target = await openStarted(t, to);
  const child = startStele(['copy', from, to]);
  const closed = new Promise((resolve) => child.once('close', resolve));
  while ((await target.head()).position === 0) if (child.exitCode !== null) break;
  child.kill('SIGKILL');
  await closed;
  const { position } = await target.head();
  t.ok(position > 0 && position < BATCHES * 1000, `killed at ${position}`);

  const secret = path.join(temporaryFolder(t), 'url');
  await writeFile(secret, `${to}\n`);
  const { code, stdout, stderr } = await stele(['copy', from, `@${secret}`]);
  t.equal(code, 0, stderr);
  const [result] = lines(stdout);
  const head = (await target.head()).position;
  t.match(result, { logId: source.logId, position: BATCHES * 1000, compared: { events: BATCHES * 1000 } });
  t.ok(Number(result?.['events']) <= BATCHES * 1000 - position, 'only what was missing');
  t.equal(head, BATCHES * 1000);

  await store(source, [event()]);
  t.match(lines((await stele(['copy', '--quick', from, to])).stdout), [
    { events: 1, compared: { events: 1 } },
  ]);
  const other = await database(t);
  await store(await openStarted(t, other), [event()]);
  const refused = await stele(['copy', from, other]);
  t.match(refused, { code: 3, stdout: '', stderr: /history of its own/ });
  await t.rejects(
    copyLog(source, await openStarted(t, other), { signal: AbortSignal.timeout(9000), compare: 'all' }),
  );
});

t.test('wrong arguments are told', async (t) => {
  t.match(await stele(['copy', 'memory:']), { code: 2, stderr: /two stores/ });
  t.match(await stele(['copy', 'memory:', 'memory:']), { code: 2, stderr: /the same/ });
  t.match(await stele(['copy', '@/nowhere', 'memory:']), { code: 2, stderr: /cannot be read/ });
});
