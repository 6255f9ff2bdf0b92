import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readEvents } from '../../examples/load-events.ts';
import { type Catalogue, mergeCatalogues, readCatalogue } from '../../src/registry/catalogue.ts';
import { checkCatalogues } from '../../src/registry/catalogue-check.ts';
import { catalogueSchema } from '../../src/registry/catalogue-format.ts';
import type { CatalogueFault } from '../../src/registry/catalogue-source.ts';
import { SchemaCompiler } from '../../src/registry/schema-compiler.ts';
import { isMembers } from '../../src/registry/schema-document.ts';
import { type Content, checkOf, TypeSchemas } from '../../src/registry/type-schemas.ts';
import { fullValue, plantedFaults } from './planted-faults.ts';

/** The catalogues that come with the package: what they say is what their schemas do. */
const FOLDER = fileURLToPath(new URL('../../catalogues', import.meta.url));
const NAMES = ['development', 'delivery', 'automation'];

const compiler = new SchemaCompiler();
compiler.start();
t.teardown(() => compiler.stop());
const schemas = new TypeSchemas(compiler);

const catalogues: Catalogue[] = [];
const faultsRead: CatalogueFault[] = [];
for (const name of NAMES) {
  const { catalogue, faults } = await readCatalogue(path.join(FOLDER, name));
  faultsRead.push(...faults);
  catalogues.push(catalogue);
}
const all = mergeCatalogues(catalogues);

const EVENT_TYPES: Readonly<Record<string, string>> = {
  development: `ISSUE.ASSIGNED.SUCCESS ISSUE.UPDATED.SUCCESS ISSUE.COMMENT.ADDED ISSUE.LABELED.CHANGED
    CODE.GENERATED.SUCCESS CODE.GENERATED.FAILED CODE.REVIEW.REQUESTED CODE.MERGED.SUCCESS
    WORKFLOW.STARTED WORKFLOW.STEP_COMPLETED WORKFLOW.PAUSED WORKFLOW.RESUMED WORKFLOW.COMPLETED
    GATE.BUILD.STARTED GATE.TEST.STARTED GATE.SECURITY.SCAN.STARTED GATE.REVIEW.REQUESTED
    PLUGIN.INSTALLED.SUCCESS PLUGIN.UNINSTALLED.SUCCESS PLUGIN.DEBUG_SNAPSHOT.SUCCESS
    PROVIDER.API.CALL PROVIDER.API.SUCCESS PROVIDER.API.FAILED PROVIDER.QUOTA.EXCEEDED
    PLATFORM.API.CALL PLATFORM.SUCCESS PLATFORM.FAILED PLATFORM.RATE_LIMITED`,
  delivery: `repo.connected repo.sync.started repo.sync.completed discovery.started discovery.completed
    feature.request.created planning.started planning.completed
    agent.execution.started agent.execution.completed agent.execution.failed pr.created pr.merged`,
  automation: `invoice.created workflow.started workflow.completed workflow.failed workflow.timed_out
    workflow.step.completed workflow.step.failed workflow.progress.updated workflow.state.changed
    task.started task.completed task.failed task.status.changed
    integration.status.changed integration.response.received user.action.performed
    service.health.changed resource.utilization.measured performance.metrics.recorded error.raised
    security.alert.raised configuration.changed access.attempted data.modified`,
};

t.test(
  'each catalogue has the types of its domain, and each of them an example and a description',
  async (t) => {
    for (const { name, types } of catalogues) {
      t.strictSame([...types.keys()].sort(), (EVENT_TYPES[name] ?? '').split(/\s+/).sort(), name);
      for (const { type, settings, versions } of types.values()) {
        t.ok(settings.description.length > 10, `${type} is described`);
        for (const { version, examples = [], schema } of versions) {
          t.ok(examples.length > 0, `${type} ${version} has an example`);
          t.equal(
            isMembers(schema) && schema['additionalProperties'],
            false,
            `the data of ${type} is closed`,
          );
        }
      }
    }
  },
);

t.test('they are sound: files, schemas, examples, rules', async (t) => {
  t.strictSame(faultsRead, []);
  t.strictSame(await checkCatalogues(catalogues, { schemas }), []);
});

t.test('every place of every schema is guarded: what is planted there is refused', async (t) => {
  let planted = 0;
  for (const { type, versions } of all.types.values()) {
    for (const { schema, tagsSchema = true, metadataSchema = true, examples = [] } of versions) {
      const own = examples.map(asRead);
      const parts = { data: schema, tags: tagsSchema, metadata: metadataSchema } as const;
      for (const member of ['data', 'tags', 'metadata'] as const) {
        const part = parts[member];
        const validator = await compiler.compile(part, { name: `${type} ${member}` });
        for (const value of [fullValue(part), ...own.map((example) => example[member])]) {
          t.strictSame(
            await validator(value),
            [],
            `${type} accepts ${member} ${JSON.stringify(value).slice(0, 80)}`,
          );
          for (const { what, value: broken } of plantedFaults(part, value)) {
            planted += 1;
            if ((await validator(broken)).length === 0) t.fail(`${type} takes ${member} where ${what}`);
          }
        }
      }
    }
  }
  t.ok(planted > 4000, `${planted} faults were planted`);
});

t.test('the example events of the package are events of the catalogues', async (t) => {
  for (const event of readEvents()) {
    const known = all.types.get(event.type);
    const [version] = known?.versions ?? [];
    if (known === undefined || version === undefined) {
      t.fail(`${event.type} is in no catalogue`);
      continue;
    }
    const { tags, metadata, data } = asRead(event);
    const fromData = Object.entries(known.settings.tagsFromData).map(([tag, pointer]) => [
      tag,
      String(data[pointer.slice(1)]),
    ]);
    const check = checkOf(await schemas.compile(event.type, version));
    t.strictSame(
      check({ data, metadata, tags: { ...Object.fromEntries(fromData), ...tags } }),
      [],
      event.type,
    );
  }
});

/** An event as it would be read again. */
function asRead(event: object): Content {
  const { tags = {}, metadata = {}, data = {} } = JSON.parse(JSON.stringify(event));
  return { tags, metadata, data };
}

t.test('what the domains say of tags and metadata holds for all of their types', async (t) => {
  for (const { type, versions } of catalogues[0]?.types.values() ?? []) {
    for (const version of versions) {
      const [example] = version.examples ?? [];
      const check = checkOf(await schemas.compile(type, version));
      const {
        data = {},
        tags = {},
        metadata = {},
      } = { ...example } as Record<string, Record<string, string>>;
      const refused = (change: object, pointer: string, what: string) =>
        t.match(check({ data, tags, metadata, ...change }), [{ pointer }], `${type}: ${what}`);
      const { workflowVersion: _, ...unversioned } = metadata;
      const { eventSource: __, ...unsourced } = metadata;
      refused({ metadata: unversioned }, '/metadata', 'workflowVersion is required');
      refused({ metadata: unsourced }, '/metadata', 'eventSource is required');
      refused(
        { metadata: { ...metadata, eventSource: 'user' } },
        '/metadata/eventSource',
        'system or plugin',
      );
      refused({ tags: { ...tags, mode: 'test' } }, '/tags/mode', 'dev or business');
      t.strictSame(
        check({ data, metadata, tags: { ...tags, mode: 'business', team: 'orders' } }),
        [],
        'own tags',
      );
    }
  }
});

t.test('the published schema of the format is that of the files', async (t) => {
  const published = JSON.parse(
    readFileSync(fileURLToPath(new URL('../../openapi/catalogue.schema.json', import.meta.url)), 'utf8'),
  );
  t.strictSame(published, JSON.parse(JSON.stringify(catalogueSchema())));
});
