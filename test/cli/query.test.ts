import { once } from 'node:events';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { readArguments, UsageError } from '../../src/cli/command.ts';
import { FILTER_FLAGS, readFilter } from '../../src/cli/filter-flags.ts';
import { createClient } from '../../src/client/index.ts';
import { EventFilter } from '../../src/model/filter.ts';
import { lines, startStele, stele } from '../helpers/command-line.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

const service = await ServiceProcess.start('memory:');
t.teardown(() => service.stop());
const client = createClient({ url: service.origin });
const env = { STELE_URL: service.origin };
const query = (...args: string[]) => stele(['query', ...args], { env });
const ns = (stdout: string) => lines(stdout).map(({ data }) => Reflect.get(Object(data), 'n'));

await client.append([
  {
    type: 'ISSUE.OPENED',
    timestamp: '2026-01-03T00:00:00Z',
    tags: { issueId: '1', mode: 'dev' },
    metadata: { correlationId: 'c-1', actorId: 'a' },
    data: { n: 1 },
  },
  {
    type: 'ISSUE.CLOSED',
    timestamp: '2026-01-02T00:00:00Z',
    tags: { issueId: '1' },
    metadata: { causationId: 'x', source: 'github' },
    data: { n: 2 },
  },
  {
    type: 'PR.OPENED',
    timestamp: '2026-01-01T00:00:00Z',
    tags: { prId: '7', userId: 'u', provider: 'p', platform: 'g', colon: 'a:b' },
    data: { n: 3 },
  },
  { type: 'ISSUE.OPENED', timestamp: '2026-01-04T00:00:00Z', tags: { issueId: ['1', '2'] }, data: { n: 4 } },
]);

t.test('writes every event that matches as a line of JSON', async (t) => {
  const { code, stdout, stderr } = await query();
  t.equal(code, 0);
  t.equal(stderr, '');
  t.strictSame(ns(stdout), [1, 2, 3, 4]);
  const { events } = await client.query();
  t.strictSame(lines(stdout), events, 'whole');
});

t.test('every member of a filter is a flag', async (t) => {
  const read = (...args: string[]) => readFilter(readArguments(args, FILTER_FLAGS));
  const values = {
    eventIds: ['01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11', 'x'],
    eventTypes: ['ISSUE.*', 'PR.OPENED'],
    issueIds: ['1', '2'],
    prIds: ['7'],
    userIds: ['u'],
    providers: ['p'],
    platforms: ['g'],
    correlationIds: ['c-1'],
    causationIds: ['x'],
    actorIds: ['a'],
    sources: ['github', 'a,b'],
  };
  for (const [member, all] of Object.entries(values)) {
    const flag = `--${member.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    t.strictSame(read(...all.flatMap((value) => [flag, value])), { [member]: all }, flag);
  }
  t.strictSame(read('--tags', 'a:1', '--tags', 'b:x:y', '--tags', 'a:2'), {
    tags: { a: ['1', '2'], b: 'x:y' },
  });
  t.strictSame(read('--start-time', '2026-01-02T00:00:00Z', '--end-time', '2026-01-04T00:00:00Z'), {
    startTime: '2026-01-02T00:00:00Z',
    endTime: '2026-01-04T00:00:00Z',
  });
  t.strictSame(read('--after', '1', '--before', '4'), { after: 1, before: 4 });
  const items = [{ types: ['PR.OPENED'] }, { tags: { mode: 'dev' } }];
  t.strictSame(read('--items', JSON.stringify(items)), { items });
  t.strictSame(
    Object.keys(FILTER_FLAGS).length,
    Object.keys(EventFilter.properties).length,
    'none is missing',
  );
  for (const bad of [
    '--tags=issueId',
    '--after=-1',
    '--items={',
    '--items=[{"x":1}]',
    '--event-types=A*B',
    '--issue-ids=',
  ]) {
    t.throws(() => read(bad), UsageError, bad);
  }
  const args = [
    '--event-types',
    'ISSUE.*',
    '--tags',
    'issueId:1',
    '--tags',
    'issueId:2',
    '--end-time',
    '2026-02-01T00:00:00Z',
  ];
  t.strictSame(ns((await query(...args)).stdout), [4], 'and selects');
});

t.test('orders, parts and pages', async (t) => {
  t.strictSame(ns((await query('--order-by', 'timestamp')).stdout), [3, 2, 1, 4]);
  t.strictSame(ns((await query('--order-direction', 'desc', '--limit', '2')).stdout), [4, 3]);
  t.strictSame(ns((await query('--offset', '3')).stdout), [4]);
  t.strictSame(ns((await query('--limit', '1')).stdout), [1]);
  t.equal((await query('--count', '--event-types', 'ISSUE.*')).stdout, '3\n');
  const first = JSON.parse((await query('--json', '--limit', '3')).stdout);
  t.match(first, { events: { length: 3 }, next: String, position: 4 });
  const second = JSON.parse((await query('--json', '--limit', '3', '--cursor', first.next)).stdout);
  t.match(second, { events: [{ data: { n: 4 } }], next: null, position: 4 });
});

t.test('what no page can hold is a usage error', async (t) => {
  const cases: [string[], RegExp][] = [
    [['--limit', '0'], /--limit 0: has to be a whole number from 1/],
    [['--order-by', 'size'], /--order-by size: has to be one of position, timestamp, type, eventId/],
    [['extra'], /extra: is not expected here/],
  ];
  for (const [args, stderr] of cases)
    t.match(await query(...args), { code: 2, stdout: '', stderr }, args.join(' '));
  t.match(await query('--start-time', 'yesterday'), { code: 5, stderr: /VALIDATION_FAILED[\s\S]*RFC 3339/ });
});

t.test('a reader that has seen enough ends the work in peace', async (t) => {
  await client.append(
    Array.from({ length: 1000 }, (_, n) => ({ type: 'MANY', data: { n, text: 'x'.repeat(2000) } })),
  );
  const child = startStele(['query', '--event-types', 'MANY'], { env });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  t.strictSame(await once(child, 'close'), [0, null]);
  t.equal(stderr, '');
});

/** Starts `stele tail` and gives its lines one by one. */
function tail(t: Test, ...args: string[]) {
  const child = startStele(['tail', ...args], { env });
  t.teardown(() => child.kill('SIGKILL'));
  const output = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return {
    child,
    messages: () => stderr,
    next: async () => JSON.parse((await output.next()).value ?? '"the end"'),
  };
}

t.test('tail follows from a position, with a filter, live', async (t) => {
  const follower = tail(t, '--after', '1', '--issue-ids', '1');
  t.match(await follower.next(), { data: { n: 2 } });
  t.match(await follower.next(), { data: { n: 4 } });
  await client.append({ type: 'ISSUE.CLOSED', tags: { issueId: '2' }, data: { n: 5 } });
  await client.append({ type: 'ISSUE.CLOSED', tags: { issueId: '1' }, data: { n: 6 } });
  t.match(await follower.next(), { data: { n: 6 } });
});

t.test('tail starts at a time of recording', async (t) => {
  const since = new Date().toISOString();
  await client.append({ type: 'SINCE', data: { n: 1 } });
  t.match(await tail(t, '--since', since).next(), { type: 'SINCE' });
  const bad = await stele(['tail', '--since', 'yesterday'], { env });
  t.match(bad, { code: 5, stderr: /VALIDATION_FAILED/ });
});

t.test('a signal ends tail at once', async (t) => {
  const follower = tail(t, '--after', '0');
  await follower.next();
  follower.child.kill('SIGINT');
  t.strictSame(await once(follower.child, 'close'), [null, 'SIGINT']);
});
