import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { readArguments, UsageError } from '../../src/cli/command.ts';
import { stele, temporaryFolder } from '../helpers/command-line.ts';

const VERBS = [
  'serve',
  'migrate',
  'append',
  'query',
  'tail',
  'import',
  'export',
  'types',
  'copy',
  'backup',
  'restore',
  'verify',
  'doctor',
  'config',
];

t.test('help lists every verb and every exit code on standard output', async (t) => {
  const { code, stdout, stderr } = await stele(['help']);
  t.equal(code, 0);
  t.equal(stderr, '');
  for (const verb of VERBS) t.match(stdout, new RegExp(`^  ${verb} +\\w`, 'm'));
  for (const exit of [0, 1, 2, 3, 4, 5, 6, 7]) t.match(stdout, new RegExp(`^  ${exit}  `, 'm'));
});

t.test('every verb explains itself, with examples', async (t) => {
  for (const verb of VERBS) {
    const { code, stdout } = await stele([verb, '--help']);
    t.equal(code, 0, verb);
    t.match(stdout, new RegExp(`^Usage: stele ${verb}(?:.|\\n)*\\nExamples:\\n  `), verb);
  }
  t.match(await stele(['help', 'tail']), { code: 0, stdout: /^Usage: stele tail/ });
});

t.test('the version is that of the package', async (t) => {
  t.match(await stele(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
});

t.test('what is not known is a usage error with what was probably meant', async (t) => {
  t.match(await stele(['qery']), {
    code: 2,
    stdout: '',
    stderr: /qery: is not a verb\. Did you mean query\?/,
  });
  t.match(await stele(['help', 'tial']), { code: 2, stderr: /Did you mean tail\?/ });
  t.match(await stele(['query', '--evnt-types', 'x']), { code: 2, stderr: /Did you mean --event-types\?/ });
  t.match(await stele(['serve', '--prot', '1']), {
    code: 2,
    stderr: /--prot: is not a flag\. Did you mean --port\?/,
  });
  t.match(await stele(['--prot', '1']), { code: 2, stderr: /Did you mean --port\?/ }, 'no verb means serve');
  t.match(
    await stele([], { env: { STELE_PROT: '1' } }),
    { code: 2, stderr: /STELE_PORT/ },
    'no word as well',
  );
});

t.test('config prints values with their sources, and no secret', async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(path.join(cwd, 'stele.yaml'), 'port: 8080\n');
  const env = { STELE_STORE: 'postgres://stele:s3cret@db/stele' };
  const { code, stdout } = await stele(['config', '--log-level', 'warn'], { cwd, env });
  t.equal(code, 0);
  t.match(stdout, /^store +postgres:\/\/stele:\*\*\*@db\/stele +environment STELE_STORE$/m);
  t.match(stdout, /^port +8080 +stele\.yaml:1$/m);
  t.match(stdout, /^logLevel +warn +flag --log-level$/m);
  t.match(stdout, /^host +127\.0\.0\.1 +default$/m);
  const json = await stele(['config', '--json'], { cwd, env });
  t.match(JSON.parse(json.stdout), {
    port: { value: 8080, source: 'stele.yaml:1' },
    keysFile: { value: null },
  });
  t.notMatch(stdout + json.stdout, /s3cret/);
  t.match(await stele(['config'], { cwd, env: { STELE_PORT: 'x' } }), {
    code: 2,
    stdout: '',
    stderr: /port = "x"/,
  });
});

t.test('a store URL and a keys file that are not valid stop serve and config alike', async (t) => {
  const cwd = temporaryFolder(t);
  const key = 'hunter2-hunter2-hunter2';
  const boss = { keys: [{ name: 'a', role: 'boss', key }] };
  writeFileSync(path.join(cwd, 'boss.json'), JSON.stringify(boss));
  const cases: [Record<string, string>, RegExp][] = [
    [{ STELE_STORE: 'postgres://u:s3cret@h/d?foo=1' }, /^ {2}store = .*foo=1.*one of poolSize/m],
    [{ STELE_STORE: 'file:./d2?foo=1' }, /^ {2}store = .*no parameter foo/m],
    [
      { STELE_STORE: 'memory:', STELE_KEYS_FILE: '/nope' },
      /^ {2}keysFile = "\/nope": cannot be read \(ENOENT\)/m,
    ],
    [
      { STELE_STORE: 'memory:', STELE_KEYS_FILE: 'boss.json' },
      /boss\.json": .*role: has to be one of reader/,
    ],
  ];
  for (const [env, stderr] of cases) {
    for (const verb of ['serve', 'config']) {
      const ended = await stele([verb], { cwd, env });
      t.match(ended, { code: 2, stdout: '', stderr }, `${verb} ${JSON.stringify(env)}`);
      t.notMatch(ended.stderr, /s3cret|hunter2|\n +at /);
    }
  }
  writeFileSync(path.join(cwd, 'keys.json'), JSON.stringify({ keys: [{ ...boss.keys[0], role: 'admin' }] }));
  const env = { STELE_STORE: 'postgres://nobody.invalid/d?poolSize=3', STELE_KEYS_FILE: 'keys.json' };
  t.match(await stele(['config'], { cwd, env }), { code: 0, stderr: '' }, 'nothing is connected to');
});

t.test('migrate says what is missing, applies it, and says that nothing is', async (t) => {
  const cwd = temporaryFolder(t);
  const env = { STELE_STORE: 'embedded:./pg?schema=orders' };
  const before = await stele(['migrate', '--status'], { cwd, env });
  t.match(before, { code: 1, stdout: /^pending {2}0001-/ });
  t.match(await stele(['migrate'], { cwd, env }), { code: 0, stdout: /^applied {2}0001-/ });
  const after = await stele(['migrate', '--status', '--json'], { cwd, env });
  t.equal(after.code, 0);
  t.match(JSON.parse(after.stdout), { schema: 'orders', pending: [] });
  t.match(await stele(['migrate'], { cwd, env: { STELE_STORE: 'memory:' } }), {
    code: 0,
    stdout: '',
    stderr: /no schema/,
  });

  const renewed = await stele(['migrate', '--new-log-id', '--json'], { cwd, env });
  const { from, to } = JSON.parse(renewed.stdout) as { from: string; to: string };
  t.not(from, to);
  t.match(await stele(['migrate', '--new-log-id'], { cwd, env }), {
    code: 0,
    stdout: new RegExp(`^log ${to} is now [0-9a-f-]{36}\n$`),
  });
  t.match(await stele(['migrate', '--new-log-id'], { cwd, env: { STELE_STORE: 'memory:' } }), {
    code: 1,
    stdout: '',
    stderr: /no id/,
  });
});

t.test('a store that cannot be opened ends the verb with the reason', async (t) => {
  const cwd = temporaryFolder(t);
  const refused = await stele(['migrate'], {
    cwd,
    env: { STELE_STORE: 'postgres://u:s3cret@127.0.0.1:1/d' },
  });
  t.match(refused, { code: 4, stdout: '', stderr: /STORAGE_UNAVAILABLE[\s\S]*ECONNREFUSED/ });
  t.notMatch(refused.stderr, /s3cret/);
  const unknown = await stele(['serve'], {
    cwd,
    env: { STELE_STORE: 'postgres://u@h/d?poolsize=3', STELE_LOG_LEVEL: 'silent' },
  });
  t.match(unknown, { stderr: /poolsize/ });
  t.not(unknown.code, 0);
});

t.test('arguments are read the same way by every verb', async (t) => {
  const names = { url: 'value', tags: 'values', json: 'switch' } as const;
  const args = readArguments(['--url=a=b', '--tags', 'x', '-', '--json', '--tags', '--y'], names, {
    positionalsMax: 1,
  });
  t.equal(args.value('url'), 'a=b');
  t.strictSame(args.values('tags'), ['x', '--y']);
  t.ok(args.has('json'));
  t.strictSame(args.positionals, ['-']);
  t.strictSame(readArguments(['--', '--url'], names, { positionalsMax: 1 }).positionals, ['--url']);
  const mixed = readArguments(['--port', '1', '--json'], names, { allowOthers: true });
  t.strictSame([mixed.others, mixed.has('json')], [['--port', '1'], true]);
  for (const bad of [['--url'], ['--json=1'], ['--url', 'a', '--url', 'b'], ['x'], ['-x'], ['--nope']]) {
    t.throws(() => readArguments(bad, names), UsageError, bad.join(' '));
  }
});
