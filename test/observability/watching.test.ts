import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { openStarted } from '../helpers/backends.ts';
import { stele, temporaryFolder } from '../helpers/command-line.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { ended, place } from '../upkeep/stage.ts';

/**
 * What Prometheus and Grafana are given is not run here, so everything it could be wrong about is checked: that the
 * rules and queries parse, that alerts fire and stay silent, that what they name exists, that files lie where the
 * containers look for them.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RULES = 'observability/rules';
const DASHBOARD = 'observability/grafana/dashboards/stele.json';
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const ruleFiles = readdirSync(path.join(ROOT, RULES)).map((name) => `${RULES}/${name}`);
const rules = ruleFiles.flatMap((file) => {
  const { groups } = parse(read(file)) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
});
const alerts = rules.filter(({ alert }) => alert !== undefined);

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

const dashboard = JSON.parse(read(DASHBOARD)) as {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: { query: string } }[];
  };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
};
const queries = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

/** Names of metrics in a query, and the labels that are asked of each. */
function* metricsIn(query: string): Generator<{ name: string; labels: string[] }> {
  for (const [, name = '', matchers = ''] of query.matchAll(/\b(stele[_:][a-zA-Z0-9_:]+)(?:\{([^}]*)\})?/g)) {
    yield { name, labels: [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)/g)].map(([, label = '']) => label) };
  }
}

/** promtool comes with Prometheus, which .ci/run installs; elsewhere the tests that need it say that they do. */
const skip = spawnSync('promtool', ['--version']).error === undefined ? false : 'promtool is not installed';

t.test('the configuration and the rules are valid to promtool', { skip }, async (t) => {
  const config = spawnSync('promtool', ['check', 'config', '--syntax-only', 'observability/prometheus.yml'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  t.equal(config.status, 0, config.stdout + config.stderr);
  const check = spawnSync('promtool', ['check', 'rules', ...ruleFiles], { cwd: ROOT, encoding: 'utf8' });
  t.equal(check.status, 0, check.stdout + check.stderr);
});

t.test('alerts fire when they should and are silent when all is well', { skip }, async (t) => {
  const tests = 'test/observability/alerts.yml';
  const run = spawnSync('promtool', ['test', 'rules', tests], { cwd: ROOT, encoding: 'utf8' });
  t.equal(run.status, 0, run.stdout + run.stderr);
  const { tests: cases } = parse(read(tests)) as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
  };
  const expected = cases.flatMap((one) => one.alert_rule_test);
  for (const { alert } of alerts) {
    const own = expected.filter(({ alertname }) => alertname === alert);
    t.ok(
      own.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} is seen to fire`,
    );
    t.ok(
      own.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} is seen to be silent`,
    );
  }
});

t.test('the queries of the dashboard are valid to promtool', { skip }, async (t) => {
  const asRules = queries.map((query, n) => ({
    record: `query:${n}`,
    expr: query.replaceAll('$__rate_interval', '5m'),
  }));
  const file = path.join(temporaryFolder(t), 'queries.yml');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: asRules }] }));
  const check = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
  t.equal(check.status, 0, check.stdout + check.stderr);
});

/** What a run of `stele verify` writes for the textfile collector. */
async function textfileOfVerify(t: Test): Promise<string> {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'stele.prom');
  await (await openStarted(t, `file:${folder}/data`)).stop();
  t.match(await stele(['verify', `file:${folder}/data`, '--metrics', file]), { code: 0 });
  return readFileSync(file, 'utf8');
}

t.test('every metric that an alert or a panel names is one of a running service', async (t) => {
  const argv = ['--backups', await place(t)];
  const { call, service } = await startHttpService(t, { store: `embedded:${temporaryFolder(t)}/pg`, argv });
  await call('/v1/events', { method: 'POST', body: '{"type":"A","data":{}}' });
  await ended({ call }, await call('/v1/backups', { method: 'POST', body: '{}' }));
  service.upkeep.look();
  while (!(await call('/metrics')).text.includes('stele_last_backup')) await new Promise(setImmediate);
  const text = (await call('/metrics')).text + (await textfileOfVerify(t));
  const samples = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
    const known = samples.get(name) ?? new Set(['job', 'instance']);
    samples.set(name, known);
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
  }
  // Only of a database that archives its WAL, which this one does not.
  samples.set('stele_store_archive_failing', new Set(['job', 'instance']));
  for (const { record } of rules) if (record !== undefined) samples.set(record, new Set(['job']));

  const variables = dashboard.templating.list.map(({ query }) => query.query);
  const named = [...rules.map(({ expr }) => expr), ...queries, ...variables].flatMap((query) => [
    ...metricsIn(query),
  ]);
  t.ok(named.length > 60, `${named.length} uses of metrics`);
  for (const { name, labels } of named) {
    const known = samples.get(name);
    if (known === undefined) t.fail(`there is no ${name}`);
    for (const label of labels) if (known?.has(label) === false) t.fail(`${name} has no label ${label}`);
  }
  for (const name of ['stele_store_disk_free_bytes', 'stele_store_disk_size_bytes']) {
    t.match(text, new RegExp(`^${name} [1-9]\\d{6,}$`, 'm'), `${name} of the embedded store`);
  }
});

t.test(
  'the panels of the dashboard lie beside each other, and ask the datasource that is there',
  async (t) => {
    const taken = new Set<string>();
    const { datasources } = parse(read('observability/grafana/provisioning/datasources/prometheus.yml'));
    for (const { title, type, gridPos, targets = [] } of dashboard.panels) {
      t.ok(title !== '' && gridPos.x + gridPos.w <= 24, `${title} fits`);
      t.ok(type === 'row' || targets.length > 0, `${title} asks something`);
      for (const { datasource } of targets) t.equal(datasource.uid, datasources[0].uid, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          if (taken.has(`${x} ${y}`)) return t.fail(`${title} lies over another panel`);
          taken.add(`${x} ${y}`);
        }
      }
    }
    const ids = dashboard.panels.map(({ id }) => id);
    t.equal(new Set(ids).size, ids.length);
  },
);

t.test('every alert says how urgent it is and has a runbook, and every runbook an alert', async (t) => {
  const headings = ['## What it means', '## Where to look', '## What to do', '## It is over when'];
  const pages = new Set<string>();
  for (const { alert = '', labels = {}, annotations = {} } of alerts) {
    t.match(labels['severity'], /^(?:page|ticket)$/, alert);
    t.ok(annotations['summary'] && annotations['description'], `${alert} says what it is about`);
    const page = annotations['runbook'] ?? '';
    pages.add(path.basename(page));
    if (!t.ok(existsSync(path.join(ROOT, page)), `${alert}: ${page}`)) continue;
    const text = read(page);
    t.ok(text.startsWith(`# ${alert}\n`), `${page} is about ${alert}`);
    t.strictSame(text.match(/^## .*$/gm), headings, page);
    checkLinks(t, page);
  }
  const there = readdirSync(path.join(ROOT, 'docs/runbooks')).filter((name) => name !== 'README.md');
  t.strictSame(there.sort(), [...pages].sort());
  const index = read('docs/runbooks/README.md');
  for (const page of pages) t.ok(index.includes(`](${page})`), `the list names ${page}`);
  checkLinks(t, 'docs/runbooks/README.md');
});

t.test('metrics that a runbook or the list names exist', async (t) => {
  const { call } = await startHttpService(t);
  const text = (await call('/metrics')).text + (await textfileOfVerify(t));
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name));
  for (const file of readdirSync(path.join(ROOT, 'docs/runbooks'))) {
    for (const [name] of read(`docs/runbooks/${file}`).matchAll(/\bstele_[a-z_]+\b/g)) {
      const base = name.replace(/_(?:bucket|sum|count)$/, '');
      if (!known.has(name) && !known.has(base)) t.fail(`${file} names ${name}`);
    }
  }
});

t.test('the profile of the containers finds its files, and its images are pinned', async (t) => {
  const { services, secrets, volumes } = parse(read('docker-compose.yml')) as {
    services: Record<string, { image?: string; profiles?: string[]; volumes?: string[]; secrets?: string[] }>;
    secrets: object;
    volumes: object;
  };
  for (const name of ['prometheus', 'grafana']) {
    const service = services[name];
    t.strictSame(service?.profiles, ['observability'], `${name} comes with the profile alone`);
    t.match(service?.image, /:v?\d+\.\d+\.\d+$/);
    for (const secret of service?.secrets ?? []) t.ok(secret in secrets, secret);
    for (const volume of service?.volumes ?? []) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('./')) t.ok(existsSync(path.join(ROOT, source)), source);
      else t.ok(source in volumes, source);
    }
  }
  t.strictSame([services['stele']?.profiles, services['postgres']?.profiles], [undefined, undefined]);
});

function checkLinks(t: Test, file: string): void {
  for (const [, target = ''] of read(file).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
    if (/^https?:/.test(target)) continue;
    t.ok(existsSync(path.join(ROOT, path.dirname(file), target)), `${file}: ${target}`);
  }
}
