import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { hasStrace, strace } from './injections.ts';
import { live, tear } from './lives.ts';
import { folder, openSegment } from './stage.ts';
import { orderFaults, type SystemCall, systemCalls } from './system-calls.ts';

const CALLS = ['openat', 'write', 'pwrite64', 'fsync', 'fdatasync', 'rename', 'unlink', 'ftruncate'];

/** The calls of a life that makes 60 requests, with what was torn before it. */
async function callsOf(t: Test, where: string): Promise<SystemCall[]> {
  const trace = `${await folder(t)}/trace`;
  const { said, code } = await live(where, {
    requests: 60,
    life: 1,
    through: strace(CALLS, '-y', '-s', '1000000', '-o', trace),
  });
  t.equal(code, 0);
  t.match(said, /\. done\n$/);
  return systemCalls(await readFile(trace, 'utf8'));
}

/** What a power failure takes away cannot be seen without one; the order of the calls that prevent it can. */
if (hasStrace()) {
  t.test('nothing is told, renamed or removed before what it stands on is on the disk', async (t) => {
    const where = await folder(t);
    const calls = await callsOf(t, where);
    t.strictSame(orderFaults(calls, where), []);
    const count = (name: string, is: (call: SystemCall) => boolean) =>
      calls.filter((call) => call.name === name && call.path.startsWith(where) && is(call)).length;
    t.equal(calls.filter(({ name, arguments: text }) => name === 'write' && text.includes('"+ ')).length, 60);
    t.ok(count('fdatasync', ({ path }) => path.endsWith('.jsonl')) >= 60, 'a sync an answer');
    t.ok(count('openat', ({ arguments: text }) => text.includes('O_EXCL')) > 3, 'it rotated');
    t.ok(count('rename', ({ path }) => path.endsWith('.gz.tmp')) > 2, 'it compressed');
    t.ok(count('unlink', ({ path }) => path.endsWith('.jsonl')) > 2, 'and removed the originals');
  });

  t.test('a torn tail is cut off by copying, in the same order', async (t) => {
    const where = await folder(t);
    await live(where, { requests: 3, life: 0 });
    const segment = await openSegment(where);
    await tear(where);
    const calls = await callsOf(t, where);
    t.strictSame(orderFaults(calls, where), []);
    t.ok(calls.some(({ name, path }) => name === 'rename' && path === `${segment}.tmp`));
  });

  t.test('a folder that is made is on the disk with those above it before anything is told', async (t) => {
    const above = await folder(t);
    const where = join(above, 'new', 'data');
    const calls = await callsOf(t, where);
    const told = calls.findIndex(({ name, arguments: text }) => name === 'write' && text.includes('"+ '));
    for (const parent of [above, join(above, 'new')]) {
      const synced = calls.findIndex(({ name, path }) => name === 'fsync' && path === parent);
      t.ok(synced >= 0 && synced < told, parent);
    }
  });
} else {
  t.comment('strace is not installed: the order of system calls was not looked at');
}

t.test('each thing that can come too early is seen', async (t) => {
  const faults = (...lines: string[]) => orderFaults(systemCalls(lines.join('\n')), '/d');
  const create = '1 openat(AT_FDCWD</>, "/d/a.jsonl", O_RDWR|O_CREAT|O_EXCL, 0640) = 7</d/a.jsonl>';
  const write = '1 pwrite64(7</d/a.jsonl>, "{}", 2, 0) = 2';
  const sync = '1 fdatasync(7</d/a.jsonl>) = 0';
  const syncFolder = '1 fsync(8</d>) = 0';
  const answer = '1 write(1<pipe:[5]>, "+ 1 id", 6) = 6';
  const put = (name: string) => `1 rename("/d/${name}.tmp", "/d/${name}") = 0`;
  const manifest = (content: object) => {
    const text = JSON.stringify(JSON.stringify({ content }));
    return [
      `1 pwrite64(9</d/manifest.json.tmp>, ${text}, 99, 0) = 99`,
      '1 fsync(9</d/manifest.json.tmp>) = 0',
      put('manifest.json'),
    ];
  };
  const begun = manifest({ sealed: [], open: { file: 'a.jsonl' } });
  const first = [create, syncFolder, ...begun, syncFolder];
  t.strictSame(faults(...first, write, sync, answer), []);
  t.strictSame(faults(...first, write, answer, sync), ['answered before the sync of a.jsonl']);
  t.match(faults(create, ...begun, syncFolder), [/^in the manifest before its name was safe: a\.jsonl/]);
  t.match(faults(create, syncFolder, ...begun, write), [/^written to before the manifest .* a\.jsonl/]);
  t.match(faults('1 pwrite64(7</d/m.tmp>, "{}", 2, 0) = 2', put('m')), [
    /^put into place before its sync: m/,
  ]);
  t.match(faults('1 ftruncate(7</d/a.jsonl>, 2) = 0'), [/^cut instead of copied: a\.jsonl/]);
  const compressed = [put('a.jsonl.gz'), syncFolder];
  const named = manifest({ sealed: [{ file: 'a.jsonl', compressedSize: 5 }], open: { file: 'b.jsonl' } });
  const unlink = '1 unlink("/d/a.jsonl") = 0';
  t.strictSame(faults(...compressed, ...named, syncFolder, unlink), []);
  t.match(faults(...compressed, ...named, unlink), [/^removed before the manifest .* a\.jsonl/]);
  t.match(faults(put('a.jsonl.gz'), ...named, syncFolder, unlink), [/^in the manifest .* a\.jsonl\.gz/]);
  const early = [
    '1 fdatasync(7</d/a.jsonl> <unfinished ...>',
    write.replace('1', '2'),
    '1 <... fdatasync resumed>) = 0',
  ];
  t.match(
    faults(...first, ...early, answer),
    [/^answered/],
    'a sync that began before a write says nothing of it',
  );
});
