import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { stele, temporaryFolder } from '../helpers/command-line.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import { CREATED, orders, SECOND } from './orders-catalogue.ts';

/** What the verbs about types do without a service, or with one that refuses. */
const types = (...args: string[]) => stele(['types', ...args]);

t.test('what is not sound is refused with its place, and no service is asked', async (t) => {
  const folder = orders(t, {
    ...CREATED,
    versions: [
      { ...CREATED.versions[0], examples: [{ data: { id: '' } }] },
      { ...SECOND, schema: { type: 'strin' } },
    ],
  });
  const check = await stele(['types', 'check', folder], { env: { STELE_URL: 'http://127.0.0.1:1' } });
  t.equal(check.code, 5);
  t.match(check.stdout, /order\.created\.json:\d+ \/versions\/0\/examples\/0\/data\/id /);
  t.match(check.stdout, /order\.created\.json:\d+ \/versions\/1\/schema\/type /);
  const json = JSON.parse((await types('check', folder, '--json')).stdout);
  t.match(json, { ok: false, faults: [{ pointer: '/versions/0/examples/0/data/id' }, {}] });
  for (const verb of ['load', 'diff'] as const) t.match(await types(verb, folder), { code: 5, stdout: '' });
  t.match(await types('generate', folder), { code: 5, stdout: '' });
  t.match(await types('check', `${folder}/nowhere`), {
    code: 2,
    stderr: /nowhere: cannot be read \(ENOENT\)/,
  });
  t.match(await types('check'), { code: 2 });
});

t.test('no service, or a key that may not register, end with their codes', async (t) => {
  const folder = orders(t);
  const nobody = ['--url', 'http://127.0.0.1:1', '--retry-seconds', '0'];
  t.match(await types('load', folder, ...nobody), { code: 4 });
  t.match(await types('check', folder, '--against', 'http://127.0.0.1:1', '--retry-seconds', '0'), {
    code: 4,
  });
  const cwd = temporaryFolder(t);
  const keys = [
    { name: 'a', role: 'admin', key: 'admin-key-of-this-test' },
    { name: 'w', role: 'writer', key: 'writer-key-of-this-test' },
  ];
  writeFileSync(path.join(cwd, 'keys.json'), JSON.stringify({ keys }));
  const guarded = await ServiceProcess.start('memory:', {
    STELE_ACCESS: 'keys',
    STELE_KEYS_FILE: path.join(cwd, 'keys.json'),
  });
  t.teardown(() => guarded.stop());
  const load = (key: string) =>
    stele(['types', 'load', folder], { env: { STELE_URL: guarded.origin, STELE_KEY: key } });
  t.match(await load('writer-key-of-this-test'), { code: 6, stderr: /FORBIDDEN/ });
  t.match(await load('admin-key-of-this-test'), { code: 0 });
});

t.test('generate writes the same of the same files, and --check notices when it is not', async (t) => {
  const out = path.join(temporaryFolder(t), 'events.ts');
  const folder = orders(t);
  t.match(await types('generate', folder, '--out', out, '--check'), {
    code: 1,
    stderr: /is not what the catalogue says/,
  });
  t.match(await types('generate', folder, '--out', out), { code: 0, stderr: /written/ });
  const text = readFileSync(out, 'utf8');
  t.match(text, /Made by `stele types generate`/);
  t.match(await types('generate', folder, '--out', out, '--check'), { code: 0 });
  t.equal((await types('generate', folder)).stdout, text, 'without --out to standard output');
});

t.test('the verbs explain themselves', async (t) => {
  const overview = await stele(['types', '--help']);
  for (const verb of ['load', 'list', 'show', 'check', 'diff', 'generate']) {
    const { code, stdout } = await stele(['types', verb, '--help']);
    t.equal(code, 0, verb);
    t.match(stdout, new RegExp(`^Usage: stele types ${verb}(?:.|\\n)*\\nExamples:\\n  `), verb);
    t.match(overview.stdout, new RegExp(`^  ${verb} `, 'm'));
  }
  t.match(await stele(['help', 'types', 'load']), { code: 0, stdout: /^Usage: stele types load/ });
  t.match(await stele(['types']), { code: 2, stderr: /needs a verb/ });
  t.match(await stele(['types', 'lod']), { code: 2, stderr: /lod: is not a verb\. Did you mean load\?/ });
});
