import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createClient } from '../../src/client/index.ts';
import { readCatalogue } from '../../src/registry/catalogue.ts';
import { stele } from '../helpers/command-line.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import { CREATED, orders, SECOND, write } from './orders-catalogue.ts';

const SHIPPED = fileURLToPath(new URL('../../catalogues', import.meta.url));
const FOLDERS = ['development', 'delivery', 'automation'].map((name) => path.join(SHIPPED, name));

const service = await ServiceProcess.start('memory:', { STELE_TYPES_MODE: 'registered' });
t.teardown(() => service.stop());
const client = createClient({ url: service.origin });
const types = (...args: string[]) => stele(['types', ...args], { env: { STELE_URL: service.origin } });

t.test('what is shipped is loaded once: the second time nothing changes', async (t) => {
  const dry = await types('load', path.join(SHIPPED, 'delivery'), '--dry-run');
  t.match(dry, { code: 0, stderr: /Nothing was registered\. types: 13 added; rules: 6 added\./ });
  t.strictSame((await client.types()).length, 0, 'a dry run does nothing');

  const first = await types('load', ...FOLDERS);
  t.match(first, { code: 0, stderr: /^Done\. types: 65 added; rules: 11 added\.$/m });
  t.match(first.stdout, /^added {5}ISSUE\.ASSIGNED\.SUCCESS {2}version 1 is new$/m);
  t.match(first.stdout, /^added {5}rule workflow-lifecycle$/m);

  const second = await types('load', ...FOLDERS);
  t.match(second, { code: 0, stderr: /Nothing had to be changed\. types: 65 same; rules: 11 same\./ });
  t.match(second.stdout, /^same {6}ISSUE\.ASSIGNED\.SUCCESS$/m);
  t.equal((await client.eventTypes.versions('ISSUE.ASSIGNED.SUCCESS')).length, 1, 'no second version');
});

t.test('their examples are stored then, and tags are filled in from the data', async (t) => {
  for (const folder of FOLDERS) {
    const { catalogue } = await readCatalogue(folder);
    for (const { type, settings, versions } of catalogue.types.values()) {
      const [example] = versions[0]?.examples ?? [];
      const { data = {}, metadata = {}, tags = {} } = JSON.parse(JSON.stringify(example));
      const filled = Object.keys(settings.tagsFromData);
      const own = Object.entries<string>(tags).filter(([tag]) => !filled.includes(tag));
      await client
        .append({ type, data, metadata, tags: Object.fromEntries(own) }, { dryRun: true })
        .catch((error) => {
          // Rules look at what was stored before; a schema that refuses would be another error.
          t.equal(error.code, 'RULE_VIOLATION', type);
        });
    }
  }
  const start = { workflowId: 'run-1', workflow: 'issue-to-pull-request', trigger: 'issue' };
  const metadata = { workflowVersion: '1.4.0', eventSource: 'system' } as const;
  await client.append({ type: 'WORKFLOW.STARTED', metadata, data: start });
  await client.append({ type: 'WORKFLOW.PAUSED', metadata, data: { workflowId: 'run-1', reason: 'manual' } });
  const completed = {
    type: 'WORKFLOW.COMPLETED',
    metadata,
    data: { workflowId: 'run-1', outcome: 'succeeded' },
  };
  await t.rejects(client.append(completed), {
    code: 'RULE_VIOLATION',
    problem: { rule: 'workflow-lifecycle' },
  });
  await client.append({ type: 'WORKFLOW.RESUMED', metadata, data: { workflowId: 'run-1' } });
  await client.append(completed);
  t.equal((await client.query({ tags: { workflowId: 'run-1' } })).events.length, 4, 'all have the tag');

  const sync = {
    repository_id: '018d13dc-e460-7e28-85f2-bbe3d7a8b08e',
    sync_type: 'full',
    trigger: 'manual',
  };
  const done = { ...sync, sync_type: undefined, trigger: undefined, file_tree_hash: 'a'.repeat(64) };
  const figures = { files_processed: 1, chunks_indexed: 1, detected_changes: [] };
  const syncCompleted = { type: 'repo.sync.completed', data: { ...done, ...figures } };
  await t.rejects(client.append(syncCompleted), { code: 'RULE_VIOLATION' }, 'it was not started');
  await client.append([{ type: 'repo.sync.started', data: sync }, syncCompleted]);
  await t.rejects(client.append({ type: 'repo.sync.started', data: { ...sync, sync_type: 'partly' } }), {
    code: 'SCHEMA_VIOLATION',
  });
});

t.test(
  'settings and rules are changed, versions are added, and only what is not the same is told',
  async (t) => {
    t.match(await types('load', orders(t)), { code: 0, stderr: /types: 1 added; rules: 1 added/ });
    const next = {
      ...CREATED,
      description: 'Somebody placed an order.',
      versions: [...CREATED.versions, SECOND],
    };
    const folder = orders(t, next);
    write(folder, 'rules/order-once.yaml', { kind: 'unique', types: ['order.created'], tag: 'order' });

    const diff = await types('diff', folder);
    t.equal(diff.code, 1);
    t.match(diff.stdout, /^changed {3}order\.created {2}version 2 is new$/m);
    t.match(diff.stdout, /\/description: "An order was placed\." → "Somebody placed an order\."/);
    t.match(diff.stdout, /^changed {3}rule order-once$/m);
    t.match(diff.stdout, /\/tag: "orderId" → "order"/);
    const json = JSON.parse((await types('diff', folder, '--json')).stdout);
    t.match(json.types, [
      { type: 'order.created', change: 'changed', versions: [{ change: 'same' }, { change: 'added' }] },
    ]);

    t.match(await types('load', folder), { code: 0, stderr: /types: 1 changed; rules: 1 changed/ });
    t.match(await client.eventTypes.get('order.created'), {
      description: 'Somebody placed an order.',
      latestVersion: 2,
    });
    t.match(await client.rules.get('order-once'), { tag: 'order' });
    t.match(await types('load', folder), { code: 0, stderr: /Nothing had to be changed/ });
    const behind = await types('diff', orders(t));
    t.match(behind, { code: 1, stdout: /order\.created {2}version 2 is registered and not in the files/ });
  },
);

t.test(
  'a version that is registered with another content is refused, with the difference, and nothing is done',
  async (t) => {
    const folder = orders(t, {
      ...CREATED,
      description: 'Never registered.',
      versions: [{ ...CREATED.versions[0], schema: SECOND.schema }],
    });
    for (const verb of [['load'], ['diff'], ['check', '--running']]) {
      const { code, stdout } = await types(...verb, folder);
      t.equal(code, 3, verb.join(' '));
      t.match(stdout, /^conflict {2}order\.created {2}version 1 is registered with another content/m);
      t.match(stdout, /version 1 \/schema\/properties\/note: not registered → \{"type":"string"\}/);
    }
    t.not((await client.eventTypes.get('order.created'))?.description, 'Never registered.');
  },
);

t.test('list and show say the same of a service and of files', async (t) => {
  const listed = await types('list');
  t.match(listed.stdout, /^ISSUE\.ASSIGNED\.SUCCESS +v1 +enforce +0 +An issue was given/m);
  t.match(listed.stdout, /^WORKFLOW\.STARTED +v1 +enforce +1 /m);
  const fromFiles = JSON.parse(
    (await types('list', '--from', path.join(SHIPPED, 'development'), '--json')).stdout,
  );
  t.equal(fromFiles.types.length, 28);
  t.match(fromFiles.types[0], { type: /^CODE/, latestVersion: 1, enforcement: 'enforce' });

  const show = async (...args: string[]) => (await types('show', 'ISSUE.ASSIGNED.SUCCESS', ...args)).stdout;
  t.equal(await show(), await show('--from', path.join(SHIPPED, 'development')));
  t.strictSame(JSON.parse(await show('--json')).type, 'ISSUE.ASSIGNED.SUCCESS');
  t.match(await types('show', 'ISSUE.ASIGNED.SUCCESS'), {
    code: 5,
    stderr: /NOT_FOUND: .* is not registered\. Did you mean ISSUE\.ASSIGNED\.SUCCESS\?/,
  });
});

t.test('what show writes is a file of a catalogue', async (t) => {
  const folder = orders(t);
  const shown = await types('show', 'ISSUE.ASSIGNED.SUCCESS');
  writeFileSync(path.join(folder, 'types', 'ISSUE.ASSIGNED.SUCCESS.yaml'), shown.stdout);
  const { catalogue, faults } = await readCatalogue(folder);
  t.strictSame(faults, []);
  t.ok(catalogue.types.has('ISSUE.ASSIGNED.SUCCESS'));
  t.match(await types('diff', folder), { stdout: /^(?!.*ISSUE)/s }, 'and is the same as what is registered');
});
