import t from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { EVERYTHING } from '../../src/model/filter.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { readAll } from '../helpers/reading.ts';

const LINES = 'application/x-ndjson';
const post = (lines: readonly unknown[], headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'content-type': LINES, ...headers },
  body: lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
});
const event = (members: Record<string, unknown> = {}) => ({ type: 'A', data: {}, ...members });

t.test('lines are stored as new events, in order', async (t) => {
  const { call, service } = await startHttpService(t);
  const many = Array.from({ length: 2500 }, (_, n) => ({ ...event({ data: { n } }), id: uuidv7() }));
  const answer = await call('/v1/imports', post([...many, '', event()]));
  t.equal(answer.status, 200, answer.text);
  t.same(bodyOf(answer), { imported: 2501, duplicates: 0, rejected: 0, failed: [], position: 2501 });
  const stored = await readAll(service.backend, EVERYTHING);
  t.equal(
    stored.every(({ id }, index) => index === 2500 || id === many[index]?.id),
    true,
  );

  const again = await call('/v1/imports', post(many));
  t.same(
    bodyOf(again),
    { imported: 0, duplicates: 2500, rejected: 0, failed: [], position: 0 },
    'sent again',
  );
  const more = [event({ id: uuidv7() }), ...many.slice(300, 1700), event({ id: uuidv7() })];
  t.match(bodyOf(await call('/v1/imports', post(more))), { imported: 2, duplicates: 1400, rejected: 0 });
  t.equal((await readAll(service.backend, EVERYTHING)).length, 2503);
});

t.test('a line that cannot be stored is named, and the others are stored', async (t) => {
  const { call } = await startHttpService(t);
  const id = uuidv7();
  await call('/v1/imports', post([event({ id })]));
  const lines = [
    event(),
    '{"type":"A"',
    event({ type: '$stele.x' }),
    event({ id, data: { other: 1 } }),
    event({ id: '7' }),
    event({ data: { n: 1 } }),
    '{"type":"A","data":{"n":12345678901234567890}}',
  ];
  const answer = bodyOf(await call('/v1/imports', post(lines)));
  t.match(answer, { imported: 2, duplicates: 0, rejected: 5, position: 3 });
  t.match(answer['failed'], [
    { line: 2, code: 'VALIDATION_FAILED' },
    { line: 3, code: 'VALIDATION_FAILED', detail: /^\/type/ },
    { line: 4, code: 'DUPLICATE_EVENT' },
    { line: 5, code: 'VALIDATION_FAILED', detail: /^\/id/ },
    { line: 7, code: 'UNSTORABLE' },
  ]);
  const bad = Array.from({ length: 1500 }, () => '{}');
  const { rejected, failed } = bodyOf(await call('/v1/imports', post(bad))) as { rejected: 0; failed: [] };
  t.same([rejected, failed.length], [1500, 100], 'the first of many');
});

t.test('an id that stands twice is stored once', async (t) => {
  const { call } = await startHttpService(t);
  const [id, other] = [uuidv7(), uuidv7()];
  const lines = [
    event({ id }),
    event(),
    event({ id }),
    event({ id: other }),
    event({ id: other, type: 'B' }),
  ];
  t.match(bodyOf(await call('/v1/imports', post(lines))), {
    imported: 3,
    duplicates: 1,
    rejected: 1,
    failed: [{ line: 5, code: 'DUPLICATE_EVENT' }],
  });
});

t.test('the id of an event that was removed stays taken', async (t) => {
  const { call, service } = await startHttpService(t);
  const id = uuidv7();
  await call('/v1/imports', post([event({ id }), event()]));
  await service.backend.remove(
    { after: 0, upTo: 1 },
    { reason: 'a test', signal: new AbortController().signal },
  );
  t.match(bodyOf(await call('/v1/imports', post([event({ id }), event()]))), {
    imported: 1,
    rejected: 1,
    failed: [{ line: 1, code: 'DUPLICATE_EVENT' }],
  });
});

t.test('as lines the answer follows the chunks', async (t) => {
  const { call } = await startHttpService(t);
  const lines = Array.from({ length: 2100 }, (_, n) => (n === 1500 ? '[]' : event()));
  const answer = await call('/v1/imports', post(lines, { accept: LINES }));
  t.match(answer.headers, { 'content-type': /^application\/x-ndjson/ });
  const chunks = answer.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(chunks, [
    { line: 1000, imported: 1000, rejected: 0, position: 1000 },
    { line: 2000, imported: 999, rejected: 1, failed: [{ line: 1501 }] },
    { line: 2100, imported: 100, position: 2099 },
  ]);
});

t.test('what is no import is refused', async (t) => {
  const { call } = await startHttpService(t);
  t.match(await call('/v1/imports', { method: 'POST' }), { status: 200 }, 'nothing is nothing');
  t.match(bodyOf(await call('/v1/imports', post([event()], { 'content-type': 'application/json' }))), {
    code: 'UNSUPPORTED_MEDIA_TYPE',
  });
  t.match(bodyOf(await call('/v1/imports?x=1', post([event()]))), { code: 'VALIDATION_FAILED' });
  t.match(bodyOf(await call('/v1/imports', post(['x'.repeat(2 ** 20 + 1)]))), { code: 'PAYLOAD_TOO_LARGE' });
});
