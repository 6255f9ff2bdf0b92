import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { createClient, type RecordedEvent } from '../../src/client/index.ts';
import { openStarted } from '../helpers/backends.ts';
import { lines, startStele, stele, temporaryFolder } from '../helpers/command-line.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { database } from '../helpers/postgres.ts';
import { event, store } from '../helpers/requests.ts';

async function running(t: Test) {
  const { origin } = await startHttpService(t);
  const client = createClient({ url: origin });
  const all = async () => {
    const found: RecordedEvent[] = [];
    for await (const one of client.read()) found.push(one);
    return found;
  };
  return { env: { STELE_URL: origin }, all, client };
}

/** An event without what belongs to its log. */
function content({ position, recordedAt, ...event }: RecordedEvent) {
  return event;
}

const EVENTS = [
  {
    type: 'A',
    tags: { issueId: '42', student: ['1', '2'] },
    metadata: { correlationId: 'c', n: 1 },
    data: { n: 1 },
  },
  {
    type: 'B',
    timestamp: '2001-02-03T04:05:06.000007Z',
    version: 3,
    data: { text: 'a "b", c;\n ü😀', list: [1, {}] },
  },
  { type: 'A', data: {} },
];

for (const name of ['events.ndjson', 'events.ndjson.gz', 'events.csv', 'events.csv.gz']) {
  t.test(`what is exported as ${name} is imported the same`, async (t) => {
    const folder = temporaryFolder(t);
    const [from, to] = [await running(t), await running(t)];
    await from.client.append(EVENTS);
    const file = path.join(folder, name);
    const exported = await stele(['export', file], { env: from.env });
    t.match(exported, { code: 0, stdout: '', stderr: /3 events were exported/ });
    t.match(await stele(['export', file], { env: from.env }), { code: 2, stderr: /is there already/ });
    const imported = await stele(['import', file], { env: to.env });
    t.match(imported, { code: 0 }, imported.stderr);
    t.match(lines(imported.stdout), [{ imported: 3, duplicates: 0, rejected: 0, position: 3 }]);
    t.strictSame((await to.all()).map(content), (await from.all()).map(content));
    t.match(lines((await stele(['import', file], { env: to.env })).stdout), [{ imported: 0, duplicates: 3 }]);
    const some = await stele(['export', '--force', file, '--event-types', 'B'], { env: from.env });
    t.match(some, { code: 0, stderr: /^1 events/m });
    const bytes = readFileSync(file);
    const text = `${name.endsWith('.gz') ? gunzipSync(bytes) : bytes}`;
    t.match(text, name.includes('csv') ? /^position,recordedAt,id,type,/ : /^\{"id":/);
  });
}

t.test('columns of single values make tags, metadata and data', async (t) => {
  const { env, all } = await running(t);
  const csv = [
    '\ufefftype,tags.issueId,tags,metadata.actorId,data.title,data',
    'A,42,"{""mode"":""dev""}",ada,"two\nlines","{""n"":1.50}"',
    'B,,,,,',
    'C,1,oops,,,',
    'D,7,,,x,',
  ].join('\r\n');
  const { code, stdout, stderr } = await stele(['import', '-', '--format', 'csv'], { env, input: csv });
  t.equal(code, 5, 'some lines were refused');
  t.match(lines(stdout), [{ imported: 3, rejected: 1 }]);
  t.match(stderr, /^line 5: VALIDATION_FAILED: \/tags/m);
  t.match(await all(), [
    {
      type: 'A',
      tags: { issueId: '42', mode: 'dev' },
      metadata: { actorId: 'ada' },
      data: { n: 1.5, title: 'two\nlines' },
    },
    { type: 'B', tags: {}, data: {} },
    { type: 'D', data: { title: 'x' } },
  ]);
  t.match(await stele(['import', '-', '--format', 'csv'], { env, input: 'type,colour\nA,red\n' }), {
    code: 2,
    stderr: /The column "colour" is not known/,
  });
  t.match(await stele(['import', '-', '--format', 'csv'], { env, input: 'type,data\nA\n' }), {
    code: 5,
    stderr: /not CSV/,
  });
});

t.test('a store is exported without a service', async (t) => {
  const url = await database(t);
  await store(await openStarted(t, url), [event({ tags: { a: '1' } }), event({ type: 'B' })]);
  const { stdout } = await stele(['export', '--store', url, '--tags', 'a:1']);
  t.match(lines(stdout), [{ position: 1, tags: { a: '1' } }]);
  t.equal(lines((await stele(['export', '-', '--store', url])).stdout).length, 2);
});

t.test('an import that is killed half-way is gone on with by running it again', async (t) => {
  const { env, all, client } = await running(t);
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'many.ndjson.gz');
  const id = (n: number) => `01a1fbdd-9b75-7c3e-8a57-${n.toString(16).padStart(12, '0')}`;
  const count = 30_000;
  const text = Array.from(
    { length: count },
    (_, n) => `{"id":"${id(n)}","type":"A","data":{"n":${n}}}\n`,
  ).join('');
  writeFileSync(file, gzipSync(text));
  const child = startStele(['import', file], { env });
  const closed = new Promise((resolve) => child.once('close', resolve));
  while ((await client.count()) === 0 && child.exitCode === null) await new Promise(setImmediate);
  child.kill('SIGKILL');
  await closed;
  const there = await client.count();
  t.ok(there > 0 && there < count, `killed at ${there}`);
  const { stdout } = await stele(['import', file], { env });
  const [result] = lines(stdout);
  t.equal(Number(result?.['imported']) + Number(result?.['duplicates']), count);
  t.equal(result?.['rejected'], 0);
  const stored = await all();
  t.equal(stored.length, count);
  t.ok(
    stored.every((one, n) => one.id === id(n)),
    'in their order',
  );
});

t.test('what is no input is told', async (t) => {
  t.match(await stele(['import', '/nowhere.csv']), { code: 2, stderr: /cannot be read/ });
  t.match(await stele(['import', '/etc/hostname']), { code: 2, stderr: /does not say its format/ });
  t.match(await stele(['export', 'x.ndjson', '--format', 'xml']), { code: 2, stderr: /one of ndjson, csv/ });
});
