import t from 'tap';
import { eventIdOf } from '../../src/model/foreign-id.ts';
import { backends } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { pageOf, post, refusal } from '../routes/stage.ts';
import { ONE, sending } from './stage.ts';

const event = (id: string, source: string, data: object = {}) => ({
  specversion: '1.0',
  id,
  source,
  type: 'A',
  time: '2026-01-01T00:00:00Z',
  data,
});
const send = (body: object) => sending(ONE.cloudevents, body);

t.test('a foreign id is one event for each source', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const first = await stele.call('/v1/events', send(event('evt_1', '/a', { n: 1 })));
    t.match(first, { status: 201 });
    const again = await stele.call('/v1/events', send(event('evt_1', '/a', { n: 1 })));
    t.match(again, { status: 201, text: first.text, headers: { 'idempotent-replayed': 'true' } });
    t.match(refusal(await stele.call('/v1/events', send(event('evt_1', '/a', { n: 2 })))), {
      status: 409,
      code: 'DUPLICATE_EVENT',
    });
    const other = await stele.call('/v1/events', send(event('evt_1', '/b', { n: 2 })));
    t.match(other, { status: 201 });
    t.not(bodyOf(other)['id'], bodyOf(first)['id']);
    t.equal(bodyOf(await stele.call('/v1/events/count'))['count'], 2);

    const batch = [event('evt_2', '/a'), event('evt_3', '/a')];
    const whole = { ...send(batch), headers: { 'content-type': 'application/cloudevents-batch+json' } };
    t.match(await stele.call('/v1/events/batch', whole), { status: 201 });
    t.match(await stele.call('/v1/events/batch', whole), {
      status: 201,
      headers: { 'idempotent-replayed': 'true' },
    });
    const part = { ...whole, body: JSON.stringify(batch.slice(0, 1)) };
    t.match(
      refusal(await stele.call('/v1/events/batch', part)).code,
      'DUPLICATE_EVENT',
      'a batch is a whole',
    );
    const twice = { ...whole, body: JSON.stringify([event('evt_4', '/a'), event('evt_4', '/a')]) };
    t.same(refusal(await stele.call('/v1/events/batch', twice)).pointers, ['/1/id']);

    for (const [query, found] of [
      ['sources=/a&foreignId=evt_1', ['/a']],
      ['sources=/a&sources=/b&foreignId=evt_1', ['/a', '/b']],
      ['sources=/c&foreignId=evt_1', []],
      [`sources=/a&foreignId=evt_1&eventIds=${bodyOf(first)['id']}`, ['/a']],
      [`sources=/a&foreignId=evt_1&eventIds=${bodyOf(other)['id']}`, []],
    ] as const) {
      const { events } = pageOf(await stele.call(`/v1/events?${query}`));
      t.same(events.map(({ metadata }) => metadata.source).sort(), found, query);
      const members = { sources: ['/a', '/b'], foreignId: 'evt_1' };
      t.equal(pageOf(await stele.call('/v1/events/query', post(members))).events.length, 2);
      t.equal(bodyOf(await stele.call('/v1/events/count', post(members)))['count'], 2);
      const stream = await stele.call('/v1/events/stream?follow=false', post({ ...members, after: 0 }));
      t.equal([...stream.text.matchAll(/"foreignId":"evt_1"/g)].length, 2);
    }
    t.same(refusal(await stele.call('/v1/events?foreignId=evt_1')), {
      status: 400,
      code: 'VALIDATION_FAILED',
      pointers: ['?foreignId'],
    });
  });
});

t.test('an id of Stele’s own stays as it is, and is found by it too', async (t) => {
  const stele = await startHttpService(t);
  const id = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';
  const answer = await stele.call('/v1/events', send(event(id, '/a')));
  t.equal(bodyOf(answer)['id'], id);
  t.equal(pageOf(await stele.call(`/v1/events?sources=/a&foreignId=${id}`)).events.length, 1);
  t.same(pageOf(await stele.call('/v1/events')).events[0]?.metadata, { source: '/a' });
});

t.test('ids of version 4 are foreign where only version 7 is taken, and own where any is', async (t) => {
  const id = '7d444840-9dc0-41d1-b245-5ffdce74fad2';
  const strict = await startHttpService(t);
  t.not(bodyOf(await strict.call('/v1/events', send(event(id, '/a'))))['id'], id);
  const any = await startHttpService(t, { argv: ['--event-ids', 'uuid'] });
  t.equal(bodyOf(await any.call('/v1/events', send(event(id, '/a'))))['id'], id);
});

t.test('the ids that are made keep source and name apart, and sort before all others', async (t) => {
  const id = eventIdOf('xero_main', 'evt_123abc');
  t.equal(id, eventIdOf('xero_main', 'evt_123abc'), 'always the same');
  t.match(id, /^000000[0-9a-f]{2}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.not(eventIdOf('ab', 'c'), eventIdOf('a', 'bc'));
  t.not(eventIdOf('', 'abc'), eventIdOf('abc', ''));
  const ids = new Set(Array.from({ length: 20_000 }, (_, at) => eventIdOf('s', `evt_${at}`)));
  t.equal(ids.size, 20_000);
});

t.test('an import in a shape can be sent again', async (t) => {
  const stele = await startHttpService(t);
  const lines = ['evt_1', 'evt_2', 'evt_3'].map((id) => JSON.stringify(event(id, '/a'))).join('\n');
  const call = sending('application/x-ndjson', `${lines}\n{"specversion":"1.0"}\n`);
  t.match(bodyOf(await stele.call('/v1/imports?envelope=cloudevents', call)), {
    imported: 3,
    duplicates: 0,
    rejected: 1,
    failed: [{ line: 4, code: 'VALIDATION_FAILED', detail: /^\/id / }],
  });
  t.match(bodyOf(await stele.call('/v1/imports?envelope=cloudevents', call)), { imported: 0, duplicates: 3 });
  t.same(refusal(await stele.call('/v1/imports?envelope=soap', call)).pointers, ['?envelope']);
});
