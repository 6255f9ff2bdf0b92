import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { openStarted } from '../helpers/backends.ts';
import { lines, stele, temporaryFolder } from '../helpers/command-line.ts';
import { event, store } from '../helpers/requests.ts';
import { openSegment } from '../store/file/stage.ts';

async function stopped(t: Test): Promise<string> {
  const folder = path.join(temporaryFolder(t), 'data');
  const backend = await openStarted(t, `file:${folder}`);
  await store(backend, [event({ tags: { a: '1' } }), event(), event()]);
  await backend.remove({ after: 0, upTo: 1 }, { reason: 'a test', signal: AbortSignal.timeout(60_000) });
  await backend.stop();
  // What SQLite has beside its file goes when this process collects its connection, at any moment.
  const copy = `${folder}-copy`;
  await cp(folder, copy, { recursive: true, filter: (name) => !/-(wal|shm)$/.test(name) });
  return copy;
}

/** Every file of a folder: which one it is, when it was written, and what is in it. */
function stateOf(folder: string): Record<string, string> {
  const state = (name: string) => {
    const file = path.join(folder, name);
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino} ${size} ${mtimeMs} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
  };
  return Object.fromEntries(readdirSync(folder).map((name) => [name, state(name)]));
}

async function verified(folder: string, flags: readonly string[] = []) {
  const before = stateOf(folder);
  const result = await stele(['verify', `file:${folder}`, ...flags]);
  return { ...result, before, after: stateOf(folder) };
}

t.test('verify changes nothing of a store that is whole', async (t) => {
  const folder = await stopped(t);
  for (const name of ['lock', 'manifest.json.tmp']) {
    if (name === 'lock') rmSync(path.join(folder, name));
    else writeFileSync(path.join(folder, name), 'a draft');
    const { code, stderr, before, after } = await verified(folder);
    t.match({ code, stderr }, { code: 0, stderr: /2 events, positions 2 to 3\.\nEverything is as it was/ });
    t.strictSame(after, before);
  }
});

t.test('a torn tail is told, is no damage, and stays', async (t) => {
  const folder = await stopped(t);
  const file = await openSegment(folder);
  const { size } = statSync(file);
  appendFileSync(file, '{"c":"01234567","n":4,"l":300,"o":[0,1,1],"z":1,"e":{"id":"0192');
  const { code, stderr, before, after } = await verified(folder);
  t.equal(code, 0, stderr);
  t.match(stderr, new RegExp(`cut short and never answered: ${path.basename(file)} from offset ${size}\\.`));
  t.strictSame(after, before);
  const { stdout } = await stele(['verify', `file:${folder}`, '--json']);
  t.match(lines(stdout), [{ events: 2, findings: [], notes: [/cut short/] }]);
});

t.test('an index that is not what it was is a finding, and stays', async (t) => {
  const folder = await stopped(t);
  const file = path.join(folder, 'index.sqlite');
  const bytes = readFileSync(file);
  const at = bytes.length - 100;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  const { code, stdout, stderr, before, after } = await verified(folder);
  t.match(
    { code, stdout },
    { code: 1, stdout: /^position 0: index\.sqlite at offset 0: is not what it was/m },
  );
  t.match(stderr, /2 events, positions 2 to 3/);
  t.strictSame(after, before);
});
