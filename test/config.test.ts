import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { effective, loadConfig, SETTINGS } from '../src/config.ts';
import { loadClientSettings } from '../src/config-client.ts';
import { ConfigError } from '../src/config-error.ts';
import { variableName } from '../src/config-sources.ts';
import { parseFileUrl } from '../src/store/file/options.ts';
import { faultsOf, folder } from './helpers/configuration.ts';

t.test('nothing configured is a file store in ./data on loopback, open', async (t) => {
  t.same(loadConfig({ env: {}, cwd: folder(t) }), {
    store: 'file:./data',
    host: '127.0.0.1',
    port: 7373,
    logLevel: 'info',
    access: 'open',
    accessForce: false,
    eventIds: 'uuidv7',
    types: { mode: 'open' },
    enrichment: { steps: ['trace', 'serviceVersion', 'defaults', 'tagsFromData'], defaults: [] },
    cache: { ttlMs: 1000 },
    retention: { policy: { policy: 'infinite' } },
  });
});

t.test('flags win over the environment, the environment over the file, the file over defaults', async (t) => {
  const cwd = folder(t, { 'stele.yaml': 'port: 1\nlogLevel: warn\neventIds: uuid\ncache:\n  ttlMs: 5\n' });
  const env = { STELE_PORT: '2', STELE_LOG_LEVEL: 'error' };
  const config = loadConfig({ argv: ['--port', '3'], env, cwd });
  t.match(config, { port: 3, logLevel: 'error', eventIds: 'uuid', cache: { ttlMs: 5 }, host: '127.0.0.1' });
  const sources = effective({ argv: ['--port=3'], env, cwd }).map(({ key, source }) => [key, source]);
  t.match(Object.fromEntries(sources), {
    port: 'flag --port',
    logLevel: 'environment STELE_LOG_LEVEL',
    eventIds: 'stele.yaml:3',
    'cache.ttlMs': 'stele.yaml:5',
    host: 'default',
  });
});

t.test(
  'the file is the one that STELE_CONFIG or --config names, YAML or JSON, nested or dotted',
  async (t) => {
    const cwd = folder(t, {
      'a.json': '{"port": 1, "cache": {"ttlMs": 7}}',
      'b.yaml': 'cache.ttlMs: 8',
      'c.yaml': '',
    });
    t.match(loadConfig({ env: { STELE_CONFIG: 'a.json' }, cwd }), { port: 1, cache: { ttlMs: 7 } });
    t.match(loadConfig({ argv: ['--config', 'b.yaml'], env: { STELE_CONFIG: 'a.json' }, cwd }), {
      port: 7373,
      cache: { ttlMs: 8 },
    });
    t.match(loadConfig({ env: { STELE_CONFIG: 'c.yaml' }, cwd }), { port: 7373 });
    t.match(
      faultsOf(() => loadConfig({ env: { STELE_CONFIG: 'none.yaml' }, cwd })),
      [/none\.yaml: cannot be read \(ENOENT\)/],
    );
  },
);

t.test('an unknown key stops the start, with where it stands and what was probably meant', async (t) => {
  const cwd = folder(t, { 'stele.yaml': '# comment\nprot: 80\n' });
  const faults = faultsOf(() => loadConfig({ argv: ['--hots', 'x'], env: { STELE_STOER: 'memory:' }, cwd }));
  t.match(faults, [
    /^prot \(stele\.yaml:2\): is not a setting\. Did you mean port\?$/,
    /^environment STELE_STOER: is not a setting\. Did you mean STELE_STORE\?$/,
    /^--hots: is not a flag\. Did you mean --host\?$/,
  ]);
});

t.test('a bad value stops the start, with the value and what it has to be', async (t) => {
  const cwd = folder(t);
  const cases: [Record<string, string>, RegExp][] = [
    [
      { STELE_PORT: '70000' },
      /^port = 70000 \(environment STELE_PORT\): has to be a whole number from 0 to 65535/,
    ],
    [{ STELE_PORT: '1e3' }, /^port = "1e3" .*whole number/],
    [{ STELE_PORT: '' }, /^port = "" .*whole number/],
    [{ STELE_LOG_LEVEL: 'inof' }, /^logLevel = "inof".*one of trace, .*Did you mean info\?/],
    [{ STELE_ACCESS_FORCE: 'yes' }, /^accessForce = "yes".*true or false/],
    [{ STELE_EVENT_IDS: 'ulid' }, /^eventIds = "ulid".*one of uuidv7, uuid/],
    [{ STELE_STORE: 'data/pg' }, /^store = "data\/pg".*has no scheme/],
    [{ STELE_STORE: 'embeded:./x' }, /scheme embeded: is not known.*Did you mean embedded\?/],
    [{ STELE_STORE: 'embedded:' }, /needs a folder/],
    [{ STELE_STORE: 'memory:x' }, /takes nothing behind the colon/],
    [{ STELE_STORE: 'file:' }, /file: needs a folder, such as file:.\/data/],
    [{ STELE_STORE: 'postgres://u:a/b@c:x/d' }, /is not a URL.*%2F/],
    [
      { STELE_STORE: 'postgres://u:s3cret@h/d?foo=1' },
      /^store = "postgres:\/\/u:\*\*\*@h\/d\?foo=1" \(environment STELE_STORE\): .*foo=1.*one of poolSize/,
    ],
    [{ STELE_STORE: 'postgres://h/d?poolSize=abc' }, /poolSize=abc.*whole number from 1 to 500/],
    [{ STELE_STORE: 'embedded:./pg?poolSize=0' }, /poolSize=0.*whole number from 1 to 500/],
    [{ STELE_STORE: 'file:./data?foo=1' }, /no parameter foo\. It has maxSize, /],
    [{ STELE_STORE: 'file:./data?maxSize=1k' }, /maxSize=1k has to be a whole number of bytes/],
    [{ STELE_STORE: 'file:./100%' }, /encodes nothing.*%25/],
    [
      {
        STELE_BACKEND: 'file',
        STELE_FILE_FILE_ROTATION_MAX_FILES: '5',
        STELE_FILE_FILE_ROTATION_MAX_SIZE: '1024',
      },
      /^store = "file:.*maxFiles needs a maxSize of at least/,
    ],
    [{ STELE_CACHE_TTL_MS: '-1' }, /^cache\.ttlMs = -1.*from 0 to 3600000/],
    [{ STELE_HOST: '' }, /^host = "".*not empty/],
  ];
  for (const [env, expected] of cases)
    t.match(
      faultsOf(() => loadConfig({ env, cwd })),
      [expected],
    );
  const typed = folder(t, { 'stele.yaml': 'port: "80"\nhost: [a]\n' });
  t.match(
    faultsOf(() => loadConfig({ env: {}, cwd: typed })),
    [/^port = "80" \(stele\.yaml:1\)/, /^host = \["a"\]/],
  );
  t.match(
    faultsOf(() => loadConfig({ argv: ['--port'], env: {}, cwd })),
    [/^--port: needs a value/],
  );
  t.match(
    faultsOf(() => loadConfig({ argv: ['x'], env: {}, cwd })),
    [/^x: is not expected here/],
  );
});

t.test('every fault is reported at once', async (t) => {
  const env = { STELE_PORT: 'x', STELE_LOG_LEVEL: 'y', STELE_NO: 'z' };
  t.equal(faultsOf(() => loadConfig({ env, cwd: folder(t) })).length, 3);
});

t.test('a file that is not YAML is refused with the place', async (t) => {
  for (const [text, expected] of [
    ['a: b: c', /^stele\.yaml: .*line 1/],
    ['port: 1\nport: 2', /^stele\.yaml: .*unique.*line 2/],
    ['- a', /^stele\.yaml: has to be a list of keys/],
  ] as const) {
    t.match(
      faultsOf(() => loadConfig({ env: {}, cwd: folder(t, { 'stele.yaml': text }) })),
      [expected],
    );
  }
});

t.test('a Kubernetes Service named stele is explained', async (t) => {
  const env = { STELE_PORT: 'tcp://10.0.0.1:7373', STELE_SERVICE_HOST: '10.0.0.1' };
  t.match(
    faultsOf(() => loadConfig({ env, cwd: folder(t) })),
    [/enableServiceLinks/, /enableServiceLinks/],
  );
});

t.test('other machines can only connect with keys, or when that is forced', async (t) => {
  const cwd = folder(t);
  const load = (env: Record<string, string>) => loadConfig({ env, cwd });
  t.match(
    faultsOf(() => load({ STELE_HOST: '0.0.0.0' })),
    [/^host = "0\.0\.0\.0".*keysFile/],
  );
  t.match(
    faultsOf(() => load({ STELE_HOST: '::', STELE_ACCESS: 'open' })),
    [/^access = "open".*accessForce/],
  );
  t.match(
    faultsOf(() => load({ STELE_ACCESS: 'keys' })),
    [/needs keysFile/],
  );
  t.equal(load({ STELE_HOST: '0.0.0.0', STELE_ACCESS: 'open', STELE_ACCESS_FORCE: 'true' }).access, 'open');
  t.match(load({ STELE_HOST: '0.0.0.0', STELE_KEYS_FILE: 'keys' }), {
    access: 'keys',
    keysFile: path.join(cwd, 'keys'),
  });
  t.equal(load({ STELE_KEYS_FILE: 'keys' }).access, 'keys', 'a keys file asks for keys on loopback too');
  for (const host of ['localhost', '127.0.0.2', '::1']) t.equal(load({ STELE_HOST: host }).access, 'open');
});

t.test('secrets come from files too, and are never shown', async (t) => {
  const cwd = folder(t, { url: 'postgres://stele:s3cret@db/stele\n', password: 'p@ss/w0rd\n' });
  const env = { STELE_STORE_FILE: path.join(cwd, 'url') };
  t.equal(loadConfig({ env, cwd }).store, 'postgres://stele:s3cret@db/stele');
  const [store] = effective({ env, cwd });
  t.same(store, {
    key: 'store',
    value: 'postgres://stele:***@db/stele',
    source: 'environment STELE_STORE_FILE',
  });

  const split = {
    STELE_STORE: 'postgres://stele@db/stele',
    STELE_POSTGRESQL_PASSWORD_FILE: path.join(cwd, 'password'),
  };
  t.equal(loadConfig({ env: split, cwd }).store, 'postgres://stele:p%40ss%2Fw0rd@db/stele');
  t.match(
    faultsOf(() => loadConfig({ env: { STELE_STORE: 'mysql://u:s3cret@h/d' }, cwd })),
    [/^(?!.*s3cret)/],
  );
  t.match(
    faultsOf(() => loadConfig({ env: { STELE_STORE: 'postgres://u:s3/cret@h:x/d' }, cwd })),
    [/^(?!.*s3\/cret)/],
  );
  t.match(effective({ env: { STELE_STORE: 'postgres://u@h/d?password=s3cret' }, cwd })[0], {
    value: /^(?!.*s3cret)/,
  });
  t.match(
    faultsOf(() => loadConfig({ env: { ...env, STELE_STORE: 'memory:' }, cwd })),
    [/both are set/],
  );
  t.match(
    faultsOf(() => loadConfig({ env: { STELE_STORE_FILE: '/none' }, cwd })),
    [/cannot be read \(ENOENT\)/],
  );
  t.match(
    faultsOf(() => loadConfig({ argv: ['--postgresql-password', 'x'], env: {}, cwd })),
    [/is not a flag/],
  );
});

t.test('a backend with its settings is another way to write the URL', async (t) => {
  const text = `backend: postgresql
postgresql:
  host: db.internal
  port: 5433
  database: tamma
  username: tamma user
  password: "a:b@c/d"
  ssl: true
  poolSize: 20
`;
  const cwd = folder(t, { 'stele.yaml': text });
  const url = 'postgres://tamma%20user:a%3Ab%40c%2Fd@db.internal:5433/tamma?sslmode=verify-full&poolSize=20';
  t.equal(loadConfig({ env: {}, cwd }).store, url);
  t.match(effective({ env: {}, cwd })[0], {
    value: /:\*\*\*@db/,
    source: 'stele.yaml:1, backend and postgresql.*',
  });
  t.equal(loadConfig({ env: { STELE_STORE: 'memory:' }, cwd }).store, 'memory:', 'and overridden as a whole');
  t.match(
    faultsOf(() => loadConfig({ env: { STELE_STORE: 'memory:', STELE_POSTGRESQL_PASSWORD: 'x' }, cwd })),
    [/password .*no effect/],
  );
});

t.test('the file backend takes the settings of its folder, and they are its URL', async (t) => {
  const text = `backend: file
file:
  dataDirectory: /var/lib/100% sure?
  fileRotation:
    maxSize: 1048576
    maxFiles: 12
    compression: none
  indexing:
    enabled: false
    maxMemorySize: 65536
`;
  const url =
    'file:/var/lib/100%25 sure%3F?maxSize=1048576&maxFiles=12&compression=none&indexing=false&maxMemorySize=65536';
  const { store } = loadConfig({ env: {}, cwd: folder(t, { 'stele.yaml': text }) });
  t.equal(store, url);
  t.same(parseFileUrl(store), {
    folder: '/var/lib/100% sure?',
    maxSize: 1_048_576,
    maxFiles: 12,
    compression: 'none',
    readOnly: false,
    maxMemorySize: 65_536,
    indexing: false,
  });
  const cwd = folder(t);
  t.equal(loadConfig({ env: { STELE_BACKEND: 'file' }, cwd }).store, 'file:./data');
  const off = loadConfig({ env: { STELE_FILE_INDEXING_ENABLED: 'false' }, cwd }).store;
  t.equal(off, 'file:./data?indexing=false');
  t.equal(parseFileUrl('file:./data').indexing, true);
  const env = { STELE_FILE_INDEXING_MAX_MEMORY_SIZE: '4096' };
  t.equal(loadConfig({ env, cwd }).store, 'file:./data?maxMemorySize=4096', 'it is what is there anyway');
  t.equal(loadConfig({ argv: ['--file-data-directory', 'x'], env, cwd }).store, 'file:x?maxMemorySize=4096');
  t.match(
    faultsOf(() => loadConfig({ env: { STELE_FILE_FILE_ROTATION_MAX_SIZE: '1' }, cwd })),
    [/^file\.fileRotation\.maxSize = 1 .*from 1024 to/],
  );
});

t.test('a backend is refused where it is incomplete, contradicts a URL, or is not there', async (t) => {
  const load = (text: string) => loadConfig({ env: {}, cwd: folder(t, { 'stele.yaml': text }) });
  t.match(
    faultsOf(() => load('backend: postgresql')),
    [/database: is missing/, /username: is missing/],
  );
  t.match(
    faultsOf(() => load('postgresql.host: db')),
    [/no effect without backend/],
  );
  t.match(
    faultsOf(() => load('store: "memory:"\nbackend: postgresql\npostgresql: {database: d, username: u}')),
    [/both say where the events are/],
  );
  t.match(
    faultsOf(() => load('backend: eventstore')),
    [/is not available in this version\. Use file or postgresql/],
  );
  t.match(
    faultsOf(() => load('store: "memory:"\nfile:\n  dataDirectory: ./data')),
    [/^file\.dataDirectory \(stele\.yaml:3\): has no effect without backend: file/],
  );
  t.match(
    faultsOf(() =>
      load('backend: postgresql\nfile.dataDirectory: x\npostgresql: {database: d, username: u}'),
    ),
    [/^file\.dataDirectory .*no effect/],
  );
  t.match(
    faultsOf(() => load('backend: file\npostgresql.host: db')),
    [/^postgresql\.host .*no effect without backend: postgresql/],
  );
  t.match(
    faultsOf(() => load('backend: file\npostgresql.password: s3cret')),
    [/^postgresql\.password \(.*no effect on the store file:/],
  );
  t.match(
    faultsOf(() => load('backend: file\nfile.fileRotation.maxFiles: 1')),
    [/^file\.fileRotation\.maxFiles .*2/],
  );
  t.match(
    faultsOf(() => load('eventstore.connectionString: esdb://x')),
    [/not available/],
  );
});

t.test('the verbs that talk to a service find it and their key', async (t) => {
  const cwd = folder(t, { key: 'stl_abc\n' });
  t.same(loadClientSettings({}, {}), { url: 'http://127.0.0.1:7373', key: undefined });
  t.same(loadClientSettings({}, { STELE_URL: 'http://a', STELE_KEY: 'k' }), { url: 'http://a', key: 'k' });
  t.same(
    loadClientSettings(
      { url: 'http://b', keyFile: path.join(cwd, 'key') },
      { STELE_URL: 'http://a', STELE_KEY: 'k' },
    ),
    {
      url: 'http://b',
      key: 'stl_abc',
    },
  );
  t.throws(() => loadClientSettings({ url: 'localhost:7373' }, {}), ConfigError);
  t.throws(() => loadClientSettings({ keyFile: '/none' }, {}), ConfigError);
  t.same(
    loadConfig({ env: { STELE_URL: 'x', STELE_KEY: 'x', STELE_KEY_FILE: 'x' }, cwd }).port,
    7373,
    'not settings',
  );
});

t.test('the README documents every setting, with its default', async (t) => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  for (const [key, schema] of SETTINGS) {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${variableName(key)}\``));
    t.ok(row, `${variableName(key)} has a row`);
    if (schema.default !== undefined) t.match(row, `\`${schema.default}\``, `${key} shows its default`);
  }
});
