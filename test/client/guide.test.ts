import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { startHttpService } from '../helpers/http-service.ts';

/** The blocks of docs/client.md, in their order, as one program. */
const guide = readFileSync(new URL('../../docs/client.md', import.meta.url), 'utf8');
const blocks = [...guide.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
const client = new URL('../../src/client/', import.meta.url);

t.test('the guide of the client does what it says', async (t) => {
  t.ok(blocks.length > 8 && blocks.every(([, language]) => language === 'js'), 'no block escapes');
  const service = await startHttpService(t);
  const program = blocks
    .map(([, , code = '']) => code)
    .join('\n')
    .replace("'stele/client'", JSON.stringify(new URL('index.ts', client).href))
    .replaceAll('http://127.0.0.1:7373', service.origin);
  const file = join(t.testdir(), 'guide.mjs');
  writeFileSync(file, program);
  const { stdout } = await promisify(execFile)(process.execPath, ['--import=tsx', file]);
  const events =
    'ISSUE.ASSIGNED.SUCCESS ISSUE.COMMENT.ADDED ISSUE.LABELED.CHANGED ISSUE.CLOSED ISSUE.REOPENED';
  t.equal(
    stdout.replaceAll(/\s+/g, ' '),
    [
      'RULE_VIOLATION issue-lifecycle 0',
      '5',
      ...events.split(' ').map((type, index) => `${index + 1} ${type}`),
      ...events.split(' '),
      'evt_1 { total: 12 }',
      'ISSUE.REOPENED',
      "{ assignee: 'ada' } [ 'remove /assignee', 'add /open', 'add /after' ]",
      "[ '/tags/assignee' ]",
      "VALIDATION_FAILED [ { pointer: '/type', detail: 'must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$' } ]",
      '1 false',
      '{ step: 1 }',
      '',
    ].join(' '),
  );
});

t.test('it names every option of a client and every method of the interface', async (t) => {
  const source = (name: string) => readFileSync(fileURLToPath(new URL(name, client)), 'utf8');
  const options = source('transport.ts').match(/interface TransportOptions \{[\s\S]*?\n\}/)?.[0] ?? '';
  const methods = source('event-store.ts').match(/interface IEventStore \{[\s\S]*?\n\}/)?.[0] ?? '';
  const names = [
    ...[...options.matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name),
    ...[...methods.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name),
  ];
  t.ok(names.length > 20);
  for (const name of names) t.match(guide, `\`${name}\``);
});
