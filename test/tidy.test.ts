import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ERROR_CATALOGUE, problemSlug } from '../src/errors.ts';

/** Rules of style that can be checked are checked: what is kept, what may know whom, what is never written. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FILE_LINES_MAX = 480;

const tracked = execFileSync('git', ['-c', 'safe.directory=*', 'ls-files'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const isOf =
  (...folders: string[]) =>
  (path: string) =>
    folders.some((folder) => path.startsWith(`${folder}/`));
const modules = tracked.filter((path) => path.endsWith('.ts'));
const sources = modules.filter(isOf('src', 'routes'));

/** Code without comments, so that prose may name what code must not use. Strings stay. */
function codeOf(path: string): string {
  return read(path).replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}

function withoutStrings(code: string): string {
  return code.replace(
    /'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|(?<=[(=,:[!&|?{};]\s*)\/(?![*/])(?:[^/\\\n]|\\.)+\/[dgimsuvy]*/g,
    "''",
  );
}

function importsOf(path: string, code = codeOf(path)): string[] {
  const found = code.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)'([^']+)'/gm);
  return [...found].map(([, specifier = '']) =>
    specifier.startsWith('.') ? posix.join(dirname(path), specifier) : specifier,
  );
}

/** From top to bottom; a module imports from its own layer and from those below. */
const LAYERS: readonly RegExp[] = [
  /^src\/main\.ts$|^src\/cli\//,
  /^src\/app\.ts$/,
  /^routes\//,
  /^src\/(?:feed|registry|access|proof|upkeep)\//,
  /^src\/client\//,
  /^src\/(?:config(?:-[a-z]+)?|spelling|version)\.ts$/,
  /^src\/store\//,
  /^src\/model\//,
  /^src\/(?:errors|heap|limits|metrics|thread)\.ts$/,
];

const layerOf = (path: string) => LAYERS.findIndex((layer) => layer.test(path));

t.test('imports point down', async (t) => {
  for (const path of sources) {
    if (layerOf(path) < 0) t.fail(`${path} is in no layer: name it in LAYERS`);
    for (const target of importsOf(path).filter((target) => /^(?:src|routes)\//.test(target))) {
      if (layerOf(target) < layerOf(path)) t.fail(`${path} imports ${target}, which lies above it`);
    }
  }
});

t.test('nobody imports what is not for him', async (t) => {
  const rules: { of: (path: string) => boolean; never: RegExp; why: string }[] = [
    { of: isOf('src/store', 'src/feed', 'src/model'), never: /^@?fastify/, why: 'HTTP is above it' },
    {
      of: isOf('routes', 'src/feed', 'src/access', 'src/model'),
      never: /^pg(?:$|-)/,
      why: 'SQL is below the store',
    },
    {
      of: isOf('src/store/memory'),
      never: /^src\/store\/postgres\//,
      why: 'backends do not know each other',
    },
    {
      of: isOf('src/store/postgres'),
      never: /^src\/store\/memory\//,
      why: 'backends do not know each other',
    },
    { of: isOf('src/store/postgres', 'src/store/memory'), never: /open\.ts$/, why: 'it opens them' },
    {
      of: isOf('routes', 'src/feed', 'src/access'),
      never: /^src\/store\/(?:postgres|memory)\//,
      why: 'only open.ts knows backends',
    },
    {
      of: isOf('src', 'routes'),
      never: /^(?:test|bench|examples)\//,
      why: 'the product does not need its tests',
    },
  ];
  for (const { of, never, why } of rules) {
    for (const path of sources.filter(of)) {
      for (const target of importsOf(path))
        if (never.test(target)) t.fail(`${path} imports ${target}: ${why}`);
    }
  }
});

t.test('the client runs wherever fetch does: of what lies outside it takes types alone', async (t) => {
  for (const path of modules.filter(isOf('src/client'))) {
    const withoutTypes = codeOf(path).replace(/^(?:im|ex)port type [^;]*;/gm, '');
    for (const target of importsOf(path, withoutTypes)) {
      if (!target.startsWith('src/client/')) t.fail(`${path} imports ${target}`);
    }
  }
});

t.test(
  'only the configuration reads the environment, and only the command line writes to the terminal',
  async (t) => {
    for (const path of sources) {
      const code = codeOf(path);
      if (/\bprocess\.env\b/.test(code) && !/^src\/config(?:-client)?\.ts$/.test(path))
        t.fail(`${path} reads process.env`);
      if (/\bconsole\./.test(code)) t.fail(`${path} uses the console`);
      const isCommandLine = path.startsWith('src/cli/') || path === 'src/main.ts';
      if (/\bprocess\.std(?:out|err)\b/.test(code) && !isCommandLine)
        t.fail(`${path} writes to the terminal`);
    }
  },
);

t.test('files are named after what they hold, in kebab case', async (t) => {
  for (const path of tracked.filter(isOf('src', 'routes', 'test', 'bench', 'examples', 'k6'))) {
    const name = posix.basename(path);
    if (!path.endsWith('.ts') && !path.endsWith('.js')) continue;
    if (!/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test)?\.(?:ts|js)$/.test(name))
      t.fail(`${path} is not in kebab case`);
    if (
      !path.endsWith('.test.ts') &&
      /^(?:utils?|common|helpers?|managers?|services?|types?|base|misc)\./.test(name)
    )
      t.fail(`${path} says nothing`);
  }
});

t.test('a file can be read in one sitting', async (t) => {
  // What a program wrote is read by programs.
  for (const path of modules.filter((path) => !path.startsWith('examples/generated/'))) {
    const lines = read(path).split('\n').length - 1;
    if (lines > FILE_LINES_MAX) t.fail(`${path} has ${lines} lines: divide it by its nouns`);
  }
});

t.test('types are not switched off, and nothing is left for later', async (t) => {
  for (const path of modules) {
    const code = withoutStrings(codeOf(path));
    if (/[:<|&(,]\s*any\b(?!\s*\()|\bas any\b/.test(code)) t.fail(`${path} uses any`);
    if (/^\s*(?:export\s+)?(?:const\s+)?enum\s/m.test(code)) t.fail(`${path} declares an enum`);
    if (path === 'test/tidy.test.ts') continue;
    if (/@ts-(?:ignore|nocheck|expect-error)/.test(read(path))) t.fail(`${path} silences the compiler`);
    if (/\b(?:TODO|FIXME|XXX|HACK)\b/.test(read(path))) t.fail(`${path} leaves something for later`);
  }
});

t.test('no test is left out', async (t) => {
  for (const path of modules.filter((path) => path.endsWith('.test.ts'))) {
    const code = withoutStrings(codeOf(path));
    if (/\b(?:skip|todo|only)\s*:\s*(?!false\b)|\bt\.(?:skip|todo|only)\s*\(/.test(code)) {
      t.fail(`${path} leaves out a test`);
    }
    if (!/\bt\.\w+\(|\bbackends\(/.test(code)) t.fail(`${path} tests nothing`);
  }
});

t.test('the project speaks of itself alone', async (t) => {
  const texts = tracked.filter(
    (path) => !/package-lock\.json$|^test\/tidy\.test\.ts$|\.(?:png|ico)$/.test(path),
  );
  for (const path of texts) {
    const text = read(path);
    const machine = /(?<![\w.$}])\/(?:home|root|work|farm|Users)\/[\w.-]+/.exec(text);
    if (machine !== null) t.fail(`${path} names a path of a machine: ${machine[0]}`);
    const isProse = path.endsWith('.md') || /^(?:examples|test)\//.test(path);
    const ticket = /\b(?:issue|ticket|PR) #?\d+\b/i.exec(text);
    if (ticket !== null && !isProse) t.fail(`${path} names a ticket: ${ticket[0]}`);
  }
});

/**
 * In the contract and in the closed catalogue, for clients who switch on codes, but sent by nothing here: rates are
 * limited by a proxy in front of the service, or by a later version.
 */
const NEVER_RAISED: readonly string[] = ['RATE_LIMITED'];

t.test('every error can be provoked, is explained and is in the contract', async (t) => {
  const tests = modules
    .filter((path) => path.startsWith('test/') && path !== 'test/tidy.test.ts')
    .map(codeOf)
    .join('\n');
  const product = sources
    .filter((path) => path !== 'src/errors.ts')
    .map(codeOf)
    .join('\n');
  const documented = read('docs/errors.md');
  const contract = read('openapi/openapi.json');
  for (const code of Object.keys(ERROR_CATALOGUE)) {
    const isRaised = new RegExp(`StoreError\\(\\s*'${code}'`).test(product);
    if (NEVER_RAISED.includes(code)) t.notOk(isRaised, `${code} is raised, and need not be excepted`);
    else if (!new RegExp(`'${code}'`).test(product)) t.fail(`nothing raises ${code}`);
    if (!new RegExp(`\\b${code}\\b`).test(tests)) t.fail(`no test provokes ${code}`);
    if (!documented.includes(`\`${code}\``)) t.fail(`docs/errors.md does not explain ${code}`);
    if (!contract.includes(`"${code}"`)) t.fail(`the OpenAPI document does not name ${code}`);
    t.match(problemSlug(code as keyof typeof ERROR_CATALOGUE), /^[a-z]+(?:-[a-z]+)*$/);
  }
  for (const [, code = ''] of documented.matchAll(/^\| `([A-Z_]+)` \|/gm)) {
    if (!Object.hasOwn(ERROR_CATALOGUE, code))
      t.fail(`docs/errors.md explains ${code}, which does not exist`);
  }
  const named = (JSON.parse(contract) as { components: { examples?: object } }).components.examples ?? {};
  for (const code of Object.keys(named).filter((name) => /^[A-Z_]{4,}$/.test(name))) {
    if (!Object.hasOwn(ERROR_CATALOGUE, code))
      t.fail(`the OpenAPI document names ${code}, which does not exist`);
  }
});
