import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { stele, temporaryFolder } from '../helpers/command-line.ts';
import { textOf } from '../helpers/html.ts';
import { startHttpService } from '../helpers/http-service.ts';

const CATALOGUE = fileURLToPath(new URL('../../catalogues/development', import.meta.url));
const read = (...path: string[]) => readFileSync(join(...path), 'utf8');
const filesIn = (folder: string) => readdirSync(folder, { recursive: true }).map(String).sort();

t.test('types docs writes the pages of a catalogue, without a service', async (t) => {
  const folder = join(temporaryFolder(t), 'new', 'folder');
  const { code, stderr } = await stele(['types', 'docs', '--from', CATALOGUE, '--out', folder]);
  t.equal(code, 0, stderr);
  t.match(stderr, /\d+ types: \d+ files written\. Open .*index\.html\./);
  const page = textOf(read(folder, 'types', 'ISSUE.ASSIGNED.SUCCESS.html'));
  t.match(page, /ISSUE\.ASSIGNED\.SUCCESS .* Examples .*\{ "type" :/);
  t.match(read(folder, 'index.html'), /href="types\/ISSUE\.ASSIGNED\.SUCCESS\.html"/);
  t.match(JSON.parse(read(folder, 'asyncapi.json')), { asyncapi: '3.1.0' });
});

t.test('types docs writes the pages of what a service has registered', async (t) => {
  const service = await startHttpService(t);
  const { registry } = service.service;
  await registry.putType('A.B', { description: 'Of the service.' });
  await registry.addVersion('A.B', { schema: { properties: { old: {} } } });
  await registry.putType('GONE', {});
  await registry.putRule('one', { kind: 'unique', types: ['A.B'], tag: 'x' });
  const folder = temporaryFolder(t);
  const args = ['types', 'docs', '--url', service.origin, '--out', folder];
  t.equal((await stele(args)).code, 0);
  const page = textOf(read(folder, 'types', 'A.B.html'));
  t.match(page, /Of the service\. .* old any .* Version 1 20\d\d-.* No two events of A\.B have the same x/);
  t.ok(existsSync(join(folder, 'types', 'GONE.html')));
  // As if the type were gone: there is no way to take one out of a registry.
  writeFileSync(join(folder, 'types', 'LONG.AGO.html'), '');
  const before = filesIn(folder);
  t.equal((await stele(args)).code, 0, 'again into the same folder');
  t.same(
    filesIn(folder),
    before.filter((file) => !file.includes('LONG.AGO')),
  );
});

t.test('types docs touches no folder that holds anything else', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'types'));
  writeFileSync(join(folder, 'types', 'mine.html'), 'mine');
  const refused = await stele(['types', 'docs', '--from', CATALOGUE, '--out', folder]);
  t.equal(refused.code, 2);
  t.match(refused.stderr, /holds other files/);
  t.same(filesIn(folder), ['types', 'types/mine.html']);
  t.equal((await stele(['types', 'docs', '--from', CATALOGUE])).code, 2, 'it asks where to');
  const file = join(folder, 'types', 'mine.html');
  t.match((await stele(['types', 'docs', '--from', CATALOGUE, '--out', file])).stderr, /ENOTDIR/);
});

t.test('types docs writes nothing of a catalogue that is not sound', async (t) => {
  const folder = temporaryFolder(t);
  const out = join(folder, 'out');
  const { code } = await stele(['types', 'docs', '--from', folder, '--out', out]);
  t.equal(code, 5);
  t.notOk(existsSync(out));
});
