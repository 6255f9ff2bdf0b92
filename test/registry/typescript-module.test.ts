import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import ts from 'typescript';
import { type Catalogue, readCatalogue } from '../../src/registry/catalogue.ts';
import { typescriptModule } from '../../src/registry/typescript-module.ts';
import { typescriptNames } from '../../src/registry/typescript-names.ts';
import { typescriptType } from '../../src/registry/typescript-type.ts';
import { temporaryFolder } from '../helpers/command-line.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What a compiler says, as strict as it can be, of the files of a folder: `file:line`, of each line once. */
function complaints(folder: string, files: readonly string[]): string[] {
  const program = ts.createProgram(
    files.map((file) => path.join(folder, file)),
    {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noUnusedLocals: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ['node'],
      typeRoots: [path.join(ROOT, 'node_modules/@types')],
      lib: ['lib.es2023.d.ts'],
    },
  );
  const found = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    if (file === undefined) return ts.flattenDiagnosticMessageText(messageText, ' ');
    const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
    return `${path.basename(file.fileName)}:${line + 1}`;
  });
  return [...new Set(found)];
}

function folderOf(t: Test, files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  return folder;
}

async function shipped(name: string): Promise<Catalogue> {
  return (await readCatalogue(path.join(ROOT, 'catalogues', name))).catalogue;
}

/** A catalogue with more than one version, a schema of many kinds, and names that need care. */
async function odd(t: Test): Promise<Catalogue> {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'types'));
  const write = (place: string, value: object) =>
    writeFileSync(path.join(folder, place), JSON.stringify(value));
  write('catalogue.yaml', { name: 'odd', description: 'Says */ and more.' });
  write('types/delete.yaml', {
    type: 'delete',
    description: 'A word of the language.',
    versions: [{ version: 1, schema: true }],
  });
  write('types/2fa.enabled.yaml', {
    type: '2fa.enabled',
    description: 'Begins with a digit.',
    versions: [{ version: 1, schema: { type: 'object', properties: { "it's": { const: "it's" } } } }],
  });
  const form = (kind: string, more: object) => ({
    type: 'object',
    required: ['kind'],
    properties: { kind: { const: kind }, ...more },
  });
  write('types/tree.grown.yaml', {
    type: 'tree.grown',
    description: 'Refers to itself.',
    tagsFromData: { treeId: '/id' },
    versions: [
      { version: 1, schema: { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } } },
      {
        version: 2,
        schema: {
          type: 'object',
          required: ['id', 'root'],
          properties: {
            id: { type: ['integer', 'string'] },
            root: { $ref: '#/$defs/node' },
            shape: {
              oneOf: [
                form('round', { radius: { type: 'number' } }),
                form('square', { side: { type: 'number' } }),
              ],
            },
            pair: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }], items: false },
            labels: { type: 'object', additionalProperties: { type: 'string' } },
            both: {
              allOf: [
                { type: 'object', properties: { a: true } },
                { type: 'object', properties: { b: { type: 'null' } } },
              ],
            },
          },
          $defs: {
            node: {
              type: 'object',
              properties: { children: { type: 'array', items: { $ref: '#/$defs/node' } } },
            },
          },
        },
        tagsSchema: {
          type: 'object',
          required: ['treeId', 'forest'],
          properties: { forest: {}, treeId: { type: 'string' } },
        },
      },
    ],
  });
  const { catalogue, faults } = await readCatalogue(folder);
  t.strictSame(faults, []);
  return catalogue;
}

t.test('the same catalogue gives the same text, whatever the order of its files', async (t) => {
  const catalogue = await shipped('delivery');
  const reversed = { ...catalogue, types: new Map([...catalogue.types].reverse()) };
  t.equal(typescriptModule(reversed), typescriptModule(catalogue));
  t.notMatch(typescriptModule(catalogue), /\bimport\b|\bany\b|node:/);
});

t.test('what is generated compiles, and the client takes its events', async (t) => {
  const client = path.join(ROOT, 'src/client/index.ts');
  const folder = folderOf(t, {
    'development.ts': typescriptModule(await shipped('development')),
    'delivery.ts': typescriptModule(await shipped('delivery')),
    'automation.ts': typescriptModule(await shipped('automation')),
    'odd.ts': typescriptModule(await odd(t)),
    'right.ts': `import type { NewEvent, RecordedEvent } from '${client}';
import { invoiceCreated, type AutomationEvent } from './automation.ts';
import { repoSyncStarted } from './delivery.ts';
import * as dev from './development.ts';
import { type OddEvent, deleteEvent, treeGrown, treeGrownV1, _2faEnabled } from './odd.ts';
const metadata = { workflowVersion: '1.4.0', eventSource: 'system' } as const;
export const events: readonly NewEvent[] = [
  dev.issueAssigned({ tags: { issueId: '42', team: ['a', 'b'] }, metadata, data: { assignee: 'ada' } }),
  dev.issueAssignedSuccess({ id: 'x', tags: { issueId: '42' }, metadata, data: { assignee: 'ada', labels: [] } }),
  dev.workflowStarted({ metadata, data: { workflowId: 'w', workflow: 'x', trigger: 'manual', input: { n: 1 } } }),
  dev.platformSuccess({ tags: { platform: 'github' }, metadata, data: { callId: 'c', operation: 'o', durationMs: 1 } }),
  repoSyncStarted({ data: { repository_id: 'r', sync_type: 'full', trigger: 'manual' } }),
  invoiceCreated({ metadata: { source: 'a', sourceType: 'task', own: 1 }, data: { invoice_id: 'i', amount: 1, customer_id: 'c' } }),
  treeGrown({ tags: { forest: ['a'] }, data: { id: 'a', root: { children: [{}] }, shape: { kind: 'round' }, pair: ['a', 1] } }),
  treeGrownV1({ data: { id: 1 } }),
  deleteEvent({ data: { anything: 1 } }),
  _2faEnabled({ data: { "it's": "it's" } }),
];
export const all = (events: readonly (dev.DevelopmentEvent | AutomationEvent | OddEvent)[]): readonly NewEvent[] => events;
export function assigneeOf(event: RecordedEvent): string | undefined {
  return dev.isOf(dev.ISSUE_ASSIGNED_SUCCESS, event) ? event.data.assignee : undefined;
}
export function idOf(event: OddEvent): string | number | undefined {
  if (event.type !== 'tree.grown') return undefined;
  return event.version === 2 ? event.data.id : event.data.id.toFixed(0);
}
`,
    'wrong.ts': `import * as dev from './development.ts';
import { invoiceCreated } from './automation.ts';
import { treeGrown } from './odd.ts';
const metadata = { workflowVersion: '1.4.0', eventSource: 'system' } as const;
const tags = { issueId: '42' };
dev.issueAssigned({ tags: {}, metadata, data: { assignee: 'ada' } });
dev.issueAssigned({ tags, data: { assignee: 'ada' } });
dev.issueAssigned({ tags, metadata, data: {} });
dev.issueAssigned({ tags, metadata, data: { assignee: 7 } });
dev.issueAssigned({ tags, metadata, data: { assignee: 'ada', asignee: 'ada' } });
dev.issueAssigned({ tags: { ...tags, mode: 'test' }, metadata, data: { assignee: 'ada' } });
dev.issueAssigned({ tags: { ...tags, team: 7 }, metadata, data: { assignee: 'ada' } });
dev.issueAssigned({ tags, metadata: { ...metadata, eventSource: 'user' }, data: { assignee: 'ada' } });
dev.workflowCompleted({ metadata, data: { workflowId: 'w', outcome: 'done' } });
invoiceCreated({ metadata: { source: 'a', sourceType: 'cron' }, data: { invoice_id: 'i', amount: 1, customer_id: 'c' } });
treeGrown({ tags: { forest: 'a' }, data: { id: true, root: {} } });
treeGrown({ tags: { forest: 'a' }, data: { id: 1, root: {}, shape: { kind: 'oval' } } });
treeGrown({ tags: { forest: 'a' }, data: { id: 1, root: {}, labels: { a: 1 } } });
treeGrown({ data: { id: 1, root: {} } });
`,
  });
  const wrong = readFileSync(path.join(folder, 'wrong.ts'), 'utf8').split('\n').length - 1;
  const expected = Array.from({ length: wrong - 5 }, (_, index) => `wrong.ts:${index + 6}`);
  t.strictSame(
    complaints(folder, ['right.ts', 'wrong.ts']),
    expected,
    'each mistake is found and nothing else',
  );
});

t.test('names say the type, short where nothing else is called so', async (t) => {
  const names = (...types: string[]) => typescriptNames(types, new Set(['Stamp'])).names;
  t.match(names('ISSUE.ASSIGNED.SUCCESS').get('ISSUE.ASSIGNED.SUCCESS'), {
    constant: 'ISSUE_ASSIGNED_SUCCESS',
    event: 'IssueAssignedSuccess',
    builder: 'issueAssignedSuccess',
    shortBuilder: 'issueAssigned',
  });
  t.equal(names('PLATFORM.SUCCESS').get('PLATFORM.SUCCESS')?.shortBuilder, undefined, 'one word is no name');
  const both = names('A.B', 'A.B.SUCCESS');
  t.equal(both.get('A.B')?.builder, 'aB');
  t.equal(both.get('A.B.SUCCESS')?.shortBuilder, undefined, 'the name is taken');
  t.match(names('repo.sync-started').get('repo.sync-started'), {
    constant: 'REPO_SYNC_STARTED',
    builder: 'repoSyncStarted',
  });
  t.match(names('stamp').get('stamp'), { event: 'StampEvent' }, 'what the module uses itself');
  t.equal(names('delete').get('delete')?.builder, 'deleteEvent');
});

t.test('two types that would be called the same are refused', async (t) => {
  t.strictSame(typescriptNames(['A.B_C', 'A.B.C', 'D'], new Set()).clashes, [['A.B_C', 'A.B.C']]);
  const catalogue = await shipped('delivery');
  const [first] = catalogue.types.values();
  const types = new Map([...catalogue.types, ['REPO.CONNECTED', { ...first!, type: 'REPO.CONNECTED' }]]);
  t.throws(() => typescriptModule({ ...catalogue, types }), {
    code: 'VALIDATION_FAILED',
    message: /REPO\.CONNECTED and repo\.connected would have the same names/,
  });
});

t.test('what is not understood is unknown, and what cannot be is never', async (t) => {
  const type = (root: boolean | object) => typescriptType({ root: root as boolean });
  t.equal(type(true), 'unknown');
  t.equal(type(false), 'never');
  t.equal(type({ not: { type: 'string' } }), 'unknown');
  t.equal(type({ enum: ['a', 1, null, "o'clock"] }), String.raw`'a' | 1 | null | 'o\'clock'`);
  t.equal(type({ enum: [{ a: 1 }] }), 'unknown');
  t.equal(type({ $ref: '#' }), 'unknown', 'a schema that is itself');
  t.equal(type({ type: 'array', items: { type: ['string', 'null'] } }), 'readonly (string | null)[]');
});
