import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ERROR_CATALOGUE } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { parsePostgresUrl } from '../../src/store/postgres/options.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

/** The rows of a document's tables whose first cell is one word of code, by that word. */
function rows(file: string, word: RegExp): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of read(file).split('\n')) {
    if (!line.startsWith('|')) continue;
    const cells = line.split(/(?<!\\)\|/).slice(1, -1);
    const name = /^`([^`]+)`$/.exec(cells[0]?.trim() ?? '')?.[1];
    if (name !== undefined && word.test(name))
      found.set(
        name,
        cells.map((cell) => cell.trim()),
      );
  }
  return found;
}

t.test('docs/errors.md is the catalogue, word for word', async (t) => {
  const documented = rows('docs/errors.md', /^[A-Z_]+$/);
  t.strictSame([...documented.keys()], Object.keys(ERROR_CATALOGUE), 'the same codes in the same order');
  for (const [code, { status, title, hint }] of Object.entries(ERROR_CATALOGUE)) {
    t.strictSame(documented.get(code)?.slice(1), [String(status), `${title}.`, hint], code);
  }
});

t.test('docs/operations.md names every metric, with its labels', async (t) => {
  const documented = rows('docs/operations.md', /^stele_/);
  const { registry } = createMetrics();
  const own = (await registry.getMetricsAsJSON()).filter(
    ({ name }) => !/^stele_(process|nodejs)_/.test(name),
  );
  t.strictSame([...documented.keys()].sort(), own.map(({ name }) => name).sort());
  for (const { name } of own) {
    const labels: unknown = Reflect.get(registry.getSingleMetric(name) ?? {}, 'labelNames');
    const cell = documented.get(name)?.[1] ?? '';
    t.strictSame(
      [...cell.matchAll(/`(\w+)`/g)].map(([, label]) => label),
      labels,
      `labels of ${name}`,
    );
  }
});

t.test('docs/operations.md names every field of the log', async (t) => {
  const documented = new Set(
    [...read('docs/operations.md').matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    ),
  );
  for (const [file, fields] of loggedFields()) {
    for (const field of fields) t.ok(documented.has(field), `${field}, logged in ${file}`);
  }
});

/** The keys of object literals that are the first argument of a log call. Others are not used in the sources. */
function* loggedFields(): Generator<[string, string[]]> {
  for (const folder of ['src', 'routes']) {
    for (const entry of readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!entry.endsWith('.ts')) continue;
      const file = path.join(folder, entry);
      const calls = read(file).matchAll(/[lL]ogger\.(?:info|warn|error|debug)\(\s*\{([^}]*)\}/g);
      const fields = [...calls].flatMap(([, literal = '']) =>
        literal
          .split(',')
          .map((part) => /^\s*(\w+)\s*(?::|$)/.exec(part)?.[1] ?? '')
          .filter((name) => name !== ''),
      );
      if (fields.length > 0) yield [file, fields];
    }
  }
}

t.test('docs/schema.md names every table of the schema, and no other index', async (t) => {
  const text = read('docs/schema.md');
  const sql = readdirSync(path.join(ROOT, 'migrations'))
    .filter((file) => file.endsWith('.sql'))
    .map((file) => read(`migrations/${file}`))
    .join('\n');
  const tables = [...sql.matchAll(/^create table stele\.(\w+)/gm)].map(([, name]) => name);
  t.ok(tables.length > 5);
  for (const name of tables) t.match(text, `| \`${name}\` |`, `the table ${name}`);
  const indexes = [...sql.matchAll(/^create (?:unique )?index (\w+)/gm)].map(([, name]) => name);
  for (const name of indexes) t.match(text, `\`${name}`, `the index ${name}`);
  const named = [...text.matchAll(/`(events_by_\w+)/g)].map(([, name]) => name);
  for (const name of named) t.ok(indexes.includes(name), `${name} exists`);
});

t.test('docs/postgresql.md names every parameter of the URL, with its default', async (t) => {
  const documented = rows('docs/postgresql.md', /^[a-z]\w+$/i);
  const { connectionString: _, ...defaults } = parsePostgresUrl('postgres://u@h/d');
  t.strictSame([...documented.keys()].sort(), Object.keys(defaults).sort());
  for (const [name, value] of Object.entries(defaults)) {
    t.equal(documented.get(name)?.[1]?.replaceAll('`', ''), String(value), name);
  }
});

t.test('links between the documents lead somewhere', async (t) => {
  const files = [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    ...readdirSync(path.join(ROOT, 'docs')).map((name) => `docs/${name}`),
  ];
  for (const file of files.filter((name) => name.endsWith('.md'))) {
    for (const [, target = ''] of read(file).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(target)) continue;
      const place = path.join(ROOT, path.dirname(file), target);
      t.ok(existsSync(place), `${file}: ${target}`);
    }
  }
});
