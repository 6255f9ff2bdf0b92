import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { command as append } from '../../src/cli/append.ts';
import { command as exporting } from '../../src/cli/export.ts';
import { command as importing } from '../../src/cli/import.ts';
import { command as query } from '../../src/cli/query.ts';
import { command as tail } from '../../src/cli/tail.ts';
import { createClient } from '../../src/client/index.ts';
import { ENVELOPES } from '../../src/model/envelopes/envelope.ts';
import { openStarted } from '../helpers/backends.ts';
import { lines, startStele, stele, temporaryFolder } from '../helpers/command-line.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { event, store } from '../helpers/requests.ts';

async function running(t: Test) {
  const { origin } = await startHttpService(t);
  return { env: { STELE_URL: origin }, client: createClient({ url: origin }) };
}

const EVENTS = [
  {
    type: 'ORDER.PLACED',
    tags: { orderId: '7' },
    metadata: { source: 'shop', correlationId: 'c-1' },
    data: { n: 1 },
  },
  { type: 'ORDER.PAID', version: 2, metadata: { note: 'ü', list: [1, {}] }, data: { n: 2 } },
];

for (const envelope of ENVELOPES) {
  t.test(`what is written as ${envelope} is taken back as that, and is the same`, async (t) => {
    const folder = temporaryFolder(t);
    const [from, appended, imported] = [await running(t), await running(t), await running(t)];
    await from.client.append(EVENTS);
    const shown = await stele(['query', '--envelope', envelope], { env: from.env });
    t.match(shown, { code: 0, stderr: '' });
    const { events } = await from.client.query({}, { envelope });
    t.strictSame(lines(shown.stdout), events);
    const file = path.join(folder, 'events.ndjson');
    t.match(await stele(['export', file, '--envelope', envelope], { env: from.env }), { code: 0 });
    const append = await stele(['append', file, '--envelope', envelope], { env: appended.env });
    t.match(append, { code: 0 }, append.stderr);
    const imports = await stele(['import', file, '--envelope', envelope], { env: imported.env });
    t.match(lines(imports.stdout), [{ imported: 2, rejected: 0 }], imports.stderr);
    const contents = async ({ client }: typeof from) =>
      (await client.query()).events.map(({ recordedAt, position, ...content }) => content);
    t.strictSame(await contents(appended), await contents(from));
    t.strictSame(await contents(imported), await contents(from));
  });
}

t.test('parts, pages and what follows are shown in a shape', async (t) => {
  const { env, client } = await running(t);
  await client.append(EVENTS);
  const { events } = await client.query({}, { envelope: 'workflow' });
  const shape = ['--envelope', 'workflow'];
  const page = await stele(['query', '--json', '--limit', '1', ...shape], { env });
  t.match(lines(page.stdout), [{ events: events.slice(0, 1), next: String, position: 2 }]);
  const part = await stele(['query', '--limit', '1', '--order-direction', 'desc', ...shape], { env });
  t.strictSame(lines(part.stdout), events.slice(1));
  const child = startStele(['tail', '--after', '1', ...shape], { env });
  t.teardown(() => child.kill('SIGKILL'));
  const output = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.strictSame(JSON.parse((await output.next()).value ?? '""'), events[1]);
});

t.test('a store is exported in a shape without a service', async (t) => {
  const url = `file:${temporaryFolder(t)}/data`;
  const backend = await openStarted(t, url);
  await store(backend, [event({ type: 'ORDER.PLACED', tags: { orderId: '7' } }), event({ type: 'B' })]);
  await backend.stop();
  const args = ['export', '-', '--store', url, '--envelope', 'stream', '--tags', 'orderId:7'];
  const exported = await stele(args);
  t.match(exported, { code: 0, stderr: /^1 events were exported/ });
  const shown = lines(exported.stdout);
  t.match(shown, [{ type: 'ORDER.PLACED', event_id: String, stele: { tags: { orderId: '7' } } }]);
  t.equal(shown.length, 1);
});

t.test('lines of a shape that lack an id get one, so that they can be sent again', async (t) => {
  const { env, client } = await running(t);
  const input = '{"type":"A","data":{"n":1}}\n{"type":"B","source":"shop"}\n';
  const { stdout } = await stele(['import', '-', '--envelope', 'stream'], { env, input });
  t.match(lines(stdout), [{ imported: 2 }]);
  t.match((await client.query()).events, [{ type: 'A', data: { n: 1 } }, { metadata: { source: 'shop' } }]);
});

t.test('what is wrong with a line is told by its number and its place in it', async (t) => {
  const { env } = await running(t);
  const good = '{"specversion":"1.0","id":"1","source":"s","type":"A","data":{}}';
  const cases: [string, string, string, RegExp][] = [
    ['cloudevents', good.replace('"A"', '"no type"'), 'VALIDATION_FAILED', /line 3 \/type/],
    ['cloudevents', good.replace('"1.0"', '"0.3"'), 'VALIDATION_FAILED', /line 3 \/specversion/],
    ['cloudevents', good.replace('{}', '1e999'), 'UNSTORABLE', /Line 3 cannot be stored: \/data/],
    ['cloudevents', '[]', 'VALIDATION_FAILED', /Line 3 is not an event: it is no object/],
  ];
  for (const [envelope, bad, code, where] of cases) {
    const input = `${good}\n\n${bad}\n`;
    const { code: exit, stderr } = await stele(['append', '-', '--envelope', envelope], { env, input });
    t.equal(exit, 5);
    t.match(stderr, new RegExp(code));
    t.match(stderr, where);
  }
  const input = '{"type":"A"}\n{"type":"no type"}\n';
  t.match(await stele(['append', '-', '--envelope', 'stream'], { env, input }), {
    code: 5,
    stderr: /line 2 \/type/,
  });
});

t.test('a shape that is none, and a shape for CSV, are usage errors', async (t) => {
  const folder = temporaryFolder(t);
  const csv = path.join(folder, 'events.csv');
  writeFileSync(csv, 'type\nA\n');
  for (const command of [query, tail, exporting, append, importing]) {
    await t.rejects(command.run(['--envelope', 'cloudevent']), {
      name: 'UsageError',
      message: '--envelope cloudevent: has to be one of cloudevents, stream, workflow, actor.',
    });
    t.match(command.help(), /--envelope <name> is the shape/);
  }
  const message = '--envelope stream: belongs to NDJSON; CSV has columns of its own.';
  for (const [command, args] of [
    [exporting, [`${folder}/new.csv`]],
    [exporting, ['-', '--format', 'csv', '--store', `file:${folder}/data`]],
    [importing, [csv]],
    [importing, ['-', '--format', 'csv']],
  ] as const) {
    await t.rejects(command.run([...args, '--envelope', 'stream']), { name: 'UsageError', message });
  }
});
