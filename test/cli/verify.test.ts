import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { openStarted } from '../helpers/backends.ts';
import { lines, stele, temporaryFolder } from '../helpers/command-line.ts';
import { database } from '../helpers/postgres.ts';
import { event, store } from '../helpers/requests.ts';

t.test('verify tells what it finds, and by its exit code whether', async (t) => {
  const url = await database(t);
  await store(await openStarted(t, url), [event({ tags: { a: '1' } }), event()]);
  t.match(await stele(['verify', url]), { code: 0, stdout: '', stderr: /2 events, positions 1 to 2/ });

  const folder = path.join(temporaryFolder(t), 'data');
  const backend = await openStarted(t, `file:${folder}`);
  await store(backend, [event({ data: { text: 'as it was written' } }), event()]);
  t.match(await stele(['verify', `file:${folder}`]), { code: 0, stderr: /in use/ });
  await backend.stop();
  const whole = await stele(['verify', `file:${folder}`, '--json']);
  t.match(lines(whole.stdout), [{ events: 2, position: 2, findings: [] }]);
  const unindexed = await stele(['verify', `file:${folder}?indexing=false`]);
  t.match(unindexed, { code: 0, stderr: /2 events.*no index to compare them with/s });
  t.match(await stele(['doctor', `file:${folder}?indexing=false`]), {
    stdout: /^ok {2}file: .*without an index\.$/m,
  });
  t.match((await stele(['backup', `file:${folder}?indexing=false`, `file:${folder}-backup`])).code, 0);
  t.match(await stele(['verify', `file:${folder}-backup`]), { code: 0, stderr: /2 events/ });
  const segment = readdirSync(folder).find((name) => name.endsWith('.jsonl')) ?? '';
  const file = path.join(folder, segment);
  writeFileSync(file, readFileSync(file, 'utf8').replace('as it was written', 'as it was wrotten'));
  const metrics = path.join(temporaryFolder(t), 'stele.prom');
  const broken = await stele(['verify', `file:${folder}`, '--metrics', metrics]);
  const told = readFileSync(metrics, 'utf8');
  t.match(told, /^stele_last_verify_findings 1$/m);
  const at = Number(/^stele_last_verify_timestamp_seconds (\S+)$/m.exec(told)?.[1]);
  t.ok(Math.abs(Date.now() / 1000 - at) < 60, 'it is the time of the run');
  t.match(broken, { code: 1, stdout: new RegExp(`^position 1: ${segment} at offset \\d+: `) });
});
