import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { readLine } from '../../src/cli/input-lines.ts';
import { createClient } from '../../src/client/index.ts';
import { readBatches } from '../../src/model/line-batches.ts';
import { lines, startStele, stele, temporaryFolder } from '../helpers/command-line.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

t.test('append', async (t) => {
  const service = await ServiceProcess.start('memory:');
  t.teardown(() => service.stop());
  const client = createClient({ url: service.origin });
  const env = { STELE_URL: service.origin };
  const append = (args: readonly string[], input: string) => stele(['append', ...args], { input, env });
  const event = (tags: object, more: object = {}) =>
    `${JSON.stringify({ type: 'T.X', tags, data: {}, ...more })}\n`;
  const stored = async (run: string) => await client.count({ tags: { run } });

  t.test('stores the lines in their order and tells where', async (t) => {
    const run = randomUUID();
    const input = [1, 2, 3, 4, 5].map((n) => event({ run }, { data: { n } })).join('\n\n');
    const { code, stdout, stderr } = await append(['--batch', '2'], input);
    t.equal(code, 0, stderr);
    const [summary] = lines(stdout);
    t.match(summary, { stored: 5, replayed: 0, firstPosition: Number, lastPosition: Number });
    const { events } = await client.query({ tags: { run } });
    t.strictSame(
      events.map(({ data }) => data),
      [1, 2, 3, 4, 5].map((n) => ({ n })),
    );
    t.equal(events[0]?.position, summary?.['firstPosition']);
    t.equal(events[4]?.position, summary?.['lastPosition']);
  });

  t.test('reads a file, a last line without an end, and any way to end lines', async (t) => {
    const run = randomUUID();
    const file = path.join(temporaryFolder(t), 'events.ndjson');
    writeFileSync(file, `\uFEFF${event({ run }).trim()}\r\n${event({ run }).trim()}`);
    const { code, stdout } = await stele(['append', file, '--json'], { env });
    t.equal(code, 0);
    t.match(lines(stdout), [
      { id: String, position: Number },
      { id: String, position: Number },
    ]);
    t.equal(await stored(run), 2);
    t.match(await stele(['append', '/none'], { env }), {
      code: 2,
      stderr: /\/none: cannot be read \(ENOENT\)/,
    });
  });

  t.test('sends again without storing twice, when the lines carry ids', async (t) => {
    const run = randomUUID();
    const input = event({ run }, { id: uuidv7() }) + event({ run }, { id: uuidv7() });
    t.match(lines((await append([], input)).stdout), [{ stored: 2, replayed: 0 }]);
    t.match(lines((await append([], input)).stdout), [{ stored: 0, replayed: 2 }]);
    const other = input.replace('"data":{}', '"data":{"other":1}');
    t.match(await append([], other), { code: 3, stderr: /DUPLICATE_EVENT/ });
    t.equal(await stored(run), 2);
  });

  t.test('stores what it was given value for value, or refuses it by its line', async (t) => {
    const run = randomUUID();
    const exact =
      '{"big":9007199254740991,"small":1e-7,"text":"\\u00e9\\ud83d\\ude00","nested":[[{}],null,true]}';
    t.match(await append([], `{"type":"T.X","tags":{"run":"${run}"},"data":${exact}}`), { code: 0 });
    const { events } = await client.query({ tags: { run } });
    t.strictSame(events[0]?.data, JSON.parse(exact));

    const answer = await append(
      [],
      `${event({ run: 'never' })}{"type":"T.X","data":{"n":12345678901234567890}}\n`,
    );
    t.match(answer, { code: 5, stdout: '', stderr: /Line 2 cannot be stored: \/data\/n .*exactly/ });
    t.equal(await stored('never'), 0, 'the batch around a refused line is not stored');
  });

  t.test('a fault that only the service sees is named by its line', async (t) => {
    const answer = await append([], `${event({})}\n${event({}, { id: 'not-a-uuid' })}`);
    t.match(answer, { code: 5, stderr: /line 3 \/id is not a UUID/ });
  });

  t.test('says what was stored before a failure', async (t) => {
    const run = randomUUID();
    const answer = await append(['--batch', '2'], `${event({ run })}${event({ run })}broken\n`);
    t.match(answer, { code: 5, stderr: /2 events before line 3 are stored/ });
    t.equal(await stored(run), 2);
  });

  t.test('conditions guard the whole input as one batch', async (t) => {
    const run = randomUUID();
    const conditions = JSON.stringify([{ failIfEventsMatch: { items: [{ tags: { run } }] } }]);
    const input = event({ run }) + event({ run });
    t.match(await append(['--conditions', conditions, '--dry-run'], input), {
      code: 0,
      stdout: '',
      stderr: /nothing was stored/,
    });
    t.equal(await stored(run), 0);
    t.match(await append(['--conditions', conditions], input), { code: 0 });
    t.match(await append(['--conditions', conditions], input), {
      code: 3,
      stderr: /APPEND_CONDITION_FAILED/,
    });
    t.equal(await stored(run), 2);
    const many = event({ run }).repeat(1001);
    t.match(await append(['--conditions', conditions], many), { code: 2, stderr: /guard one batch/ });
    t.match(await append(['--conditions', '{'], input), { code: 2, stderr: /--conditions: is not JSON/ });
    t.match(await append(['--conditions', '[{"after":1}]'], input), { code: 2, stderr: /failIfEventsMatch/ });
  });

  t.test('large input goes in bounded batches', async (t) => {
    const run = randomUUID();
    const input = event({ run }, { data: { text: 'x'.repeat(900_000) } }).repeat(20);
    t.match(lines((await append(['--batch', '1000'], input)).stdout), [{ stored: 20 }]);
    const tooLarge = event({ run }, { data: { text: 'x'.repeat(1_100_000) } });
    t.match(await append([], tooLarge), { code: 5, stderr: /Line 1 is longer than/ });
  });

  t.test('a line is stored when it comes, not when the input ends', async (t) => {
    const run = randomUUID();
    const child = startStele(['append'], { env });
    t.teardown(() => child.kill('SIGKILL'));
    const follower = client.follow({ tags: { run } }, { after: 0 });
    child.stdin.write(event({ run }, { data: { n: 1 } }));
    t.match((await follower.next()).value, { data: { n: 1 } });
    child.stdin.write(event({ run }, { data: { n: 2 } }));
    t.match((await follower.next()).value, { data: { n: 2 } });
    await follower.return();
    child.stdin.end();
    t.strictSame(await once(child, 'close'), [0, null]);
  });

  t.test('a service that is away is waited for, and then given up with a code of its own', async (t) => {
    const answer = await stele(['append', '--retry-seconds', '0', '--url', 'http://127.0.0.1:9'], {
      input: event({}),
    });
    t.match(answer, { code: 4, stdout: '', stderr: /OUTCOME_UNKNOWN|UNREACHABLE/ });
  });
});

t.test('a key is asked for and sent', async (t) => {
  const folder = temporaryFolder(t);
  const key = 'a-key-of-some-length-1';
  writeFileSync(
    path.join(folder, 'keys.json'),
    JSON.stringify({
      keys: [
        { name: 'writer', role: 'writer', key },
        { name: 'reader', role: 'reader', key: 'a-key-of-some-length-2' },
      ],
    }),
  );
  writeFileSync(path.join(folder, 'key'), `${key}\n`);
  const service = await ServiceProcess.start('memory:', { STELE_KEYS_FILE: path.join(folder, 'keys.json') });
  t.teardown(() => service.stop());
  const url = ['--url', service.origin];
  const input = '{"type":"T.X","data":{}}';
  t.match(await stele(['append', ...url], { input }), { code: 6, stderr: /UNAUTHENTICATED/ });
  t.match(await stele(['append', ...url], { input, env: { STELE_KEY: 'a-key-of-some-length-2' } }), {
    code: 6,
    stderr: /FORBIDDEN/,
  });
  t.match(await stele(['append', ...url], { input, env: { STELE_KEY: key } }), { code: 0 });
  t.match(await stele(['append', ...url, '--key-file', path.join(folder, 'key')], { input }), { code: 0 });
});

t.test('a line that is no event is refused with its number and what is wrong', async (t) => {
  const refused: [string, RegExp][] = [
    ['{"type":"T.X","data":{"n":1e400}}', /Line 7 cannot be stored: \/data\/n .*exactly/],
    ['{"type":"T.X","data":{"a":1,"a":2}}', /Line 7 cannot be stored: .*twice/],
    ['{"type":"T.X","data":{"a":"\\u0000"}}', /Line 7 cannot be stored: .*NUL/],
    ['{"type":"T.X"}', /Line 7 is not an event: \/data/],
    ['{"type":"T.X","data":{},"extra":1}', /Line 7 is not an event: \/extra/],
    ['not json', /Line 7 cannot be stored: .*JSON/],
    ['[]', /Line 7 is not an event/],
  ];
  for (const [text, expected] of refused) t.throws(() => readLine({ number: 7, text }), expected, text);
  t.strictSame(readLine({ number: 1, text: '{"type":"T.X","data":{}}' }), { type: 'T.X', data: {} });
});

t.test('batches hold as many lines as asked for, and no more bytes than an append may have', async (t) => {
  async function* input(...chunks: string[]) {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const numbers = async (linesMax: number, ...chunks: string[]) => {
    const batches: number[][] = [];
    for await (const { lines } of readBatches(input(...chunks), linesMax))
      batches.push(lines.map(({ number }) => number));
    return batches;
  };
  t.strictSame(await numbers(2, 'a\nb\nc\n'), [[1, 2], [3]]);
  t.strictSame(
    await numbers(2, 'a', 'b\r\n\n', '\n c \nd'),
    [[1, 4], [5]],
    'cut anywhere, empty lines counted',
  );
  t.strictSame(await numbers(2), []);
  t.strictSame(await numbers(2, 'é\n'), [[1]]);
  const [first = []] = await numbers(1000, `${'x'.repeat(1_000_000)}\n`.repeat(30));
  t.ok(first.length >= 10 && first.length <= 16, `${first.length} lines of a megabyte`);
  await t.rejects(numbers(2, 'x'.repeat(1_048_577)), /Line 1 is longer/);
  const broken = (async function* () {
    yield Buffer.from([0xc3, 0x28, 10]);
  })();
  await t.rejects(readBatches(broken, 1).next(), /Line 1 is not UTF-8/);
});
