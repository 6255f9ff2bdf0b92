import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { issueToMerge } from '../../examples/issue-to-merge.ts';
import { createClient } from '../../src/client/index.ts';
import { readCatalogue } from '../../src/registry/catalogue.ts';
import { typescriptModule } from '../../src/registry/typescript-module.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

const { catalogue } = await readCatalogue(
  fileURLToPath(new URL('../../catalogues/development', import.meta.url)),
);

t.test('the generated module is what the catalogue says', async (t) => {
  const file = new URL('../../examples/generated/development.ts', import.meta.url);
  t.ok(readFileSync(file, 'utf8') === typescriptModule(catalogue), 'else generate it again');
});

t.test('a service that takes registered types only takes what the generated functions make', async (t) => {
  const service = await ServiceProcess.start('memory:', { STELE_TYPES_MODE: 'registered' });
  t.teardown(() => service.stop());
  const client = createClient({ url: service.origin });
  const events = issueToMerge('42', 'run-1');
  await t.rejects(client.append(events), { code: 'UNKNOWN_EVENT_TYPE' }, 'nothing is registered yet');

  for (const { type, settings, versions } of catalogue.types.values()) {
    await client.eventTypes.put(type, settings);
    for (const { version: _, ...schemas } of versions) await client.eventTypes.addVersion(type, schemas);
  }
  for (const { rule, input } of catalogue.rules.values()) await client.rules.put(rule, input);

  t.equal((await client.append(events)).lastPosition, events.length);
  const { events: run } = await client.query({ tags: { workflowId: 'run-1' } });
  t.strictSame(
    run.map(({ type }) => type),
    ['WORKFLOW.STARTED', 'WORKFLOW.STEP_COMPLETED', 'WORKFLOW.COMPLETED'],
    'the tag was taken from the data',
  );
  await t.rejects(
    client.append(issueToMerge('42', 'run-1')),
    { code: 'RULE_VIOLATION' },
    'a run starts once',
  );
  t.equal((await client.append(issueToMerge('43', 'run-2'))).firstPosition, events.length + 1);
  const [first] = issueToMerge('44', 'run-3');
  await t.rejects(client.append({ ...first!, data: { assignee: '' } }), { code: 'SCHEMA_VIOLATION' });
});
