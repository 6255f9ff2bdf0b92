import t from 'tap';
import type { RecordedEvent } from '../../src/model/event.ts';
import { backends } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { append, pageOf, positions, refusal } from './stage.ts';

const UNKNOWN = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';

t.test('one event is read by its id', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const [, event] = await append(stele, [{}, { tags: { a: 'b' }, data: { é: 1 } }]);
    const path = `/v1/events/${event?.id}`;
    const answer = await stele.call(path);
    t.same(bodyOf(answer), event);
    t.equal(answer.headers['stele-position'], '2');
    t.same(bodyOf(await stele.call(path.toUpperCase().replace('/V1/EVENTS', '/v1/events'))), event);

    const etag = `${answer.headers['etag']}`;
    t.match(etag, /^"[\w-]+"$/, 'the tag is strong');
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await stele.call(path, { headers: { 'if-none-match': known } });
      t.match(again, { status: 304, text: '', headers: { etag, 'stele-position': '2' } }, known);
    }
    t.equal((await stele.call(path, { headers: { 'if-none-match': '"x"' } })).status, 200);

    const head = await stele.call(path, { method: 'HEAD' });
    t.equal(head.text, '');
    t.same({ ...head.headers, ...volatile }, { ...answer.headers, ...volatile }, 'HEAD says the same');

    t.match(refusal(await stele.call(`/v1/events/${UNKNOWN}`)), { status: 404, code: 'NOT_FOUND' });
    t.match(refusal(await stele.call('/v1/events/42')), { status: 400, pointers: ['{id}'] });
    t.match(refusal(await stele.call(`${path}?limit=1`)), { status: 400, pointers: ['?limit'] });
  });
});

const volatile = { date: '', 'stele-request-id': '', connection: '', 'keep-alive': '' };

t.test('the events of a correlation are a page', async (t) => {
  const stele = await startHttpService(t);
  const correlationId = 'run 1/é?#%';
  await append(stele, [
    { metadata: { correlationId }, tags: { issueId: '1' } },
    { metadata: { correlationId: 'other' } },
    { metadata: { correlationId }, tags: { issueId: '2' } },
    { metadata: { correlationId } },
  ]);
  const path = `/v1/correlations/${encodeURIComponent(correlationId)}/events`;
  t.same(positions(pageOf(await stele.call(path)).events), [1, 3, 4]);
  t.same(
    positions(pageOf(await stele.call(`${path}?issueIds=2&issueIds=1&orderDirection=desc`)).events),
    [3, 1],
  );
  t.same(pageOf(await stele.call(`${path}?correlationIds=other`)).events, [], 'both have to hold');
  const { next } = pageOf(await stele.call(`${path}?limit=2`));
  t.same(positions(pageOf(await stele.call(`${path}?cursor=${next}`)).events), [4]);
  t.equal((await stele.call(`/v1/events?cursor=${next}`)).status, 400, 'its cursor belongs to it');
  t.same(pageOf(await stele.call('/v1/correlations/nothing/events')).events, []);
  t.equal((await stele.call(`/v1/correlations/${'x'.repeat(513)}/events`)).status, 400);
});

t.test('causes and effects are followed both ways', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const caused = async (...causes: (RecordedEvent | undefined)[]) =>
      append(
        stele,
        causes.map((cause) => (cause === undefined ? {} : { metadata: { causationId: cause.id } })),
      );
    const [root] = await caused(undefined, undefined);
    const [middle] = await caused(root);
    const [left, right] = await caused(middle, middle);
    const [leaf] = await caused(right, left);
    const read = async (event: RecordedEvent | undefined, query = '') => {
      const answer = await stele.call(`/v1/events/${event?.id}/causation${query}`);
      const body = bodyOf(answer) as unknown as {
        event: RecordedEvent;
        ancestors: RecordedEvent[];
        descendants: RecordedEvent[];
        isComplete: boolean;
      };
      return { ...body, ancestors: positions(body.ancestors), descendants: positions(body.descendants) };
    };
    t.same(await read(root), { event: root, ancestors: [], descendants: [3, 4, 5, 6, 7], isComplete: true });
    t.same(await read(middle), {
      event: middle,
      ancestors: [1],
      descendants: [4, 5, 6, 7],
      isComplete: true,
    });
    t.same(await read(leaf), { event: leaf, ancestors: [5, 3, 1], descendants: [], isComplete: true });
    t.match(await read(root, '?limit=3'), { descendants: [3, 4, 5], isComplete: false });
    t.match(await read(leaf, '?limit=2'), { ancestors: [5, 3], isComplete: false });
    t.match(await read(leaf, '?limit=3'), { ancestors: [5, 3, 1], isComplete: true });
  });
});

t.test('causes that are endless or lead out of the log come to an end', async (t) => {
  const stele = await startHttpService(t);
  const [a, b] = ['01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b01', '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b02'] as const;
  await append(stele, [
    { id: a, metadata: { causationId: b } },
    { id: b, metadata: { causationId: a } },
    { metadata: { causationId: UNKNOWN } },
    { metadata: { causationId: 'job-7' } },
    { metadata: { causationId: '' } },
  ]);
  const circle = bodyOf(await stele.call(`/v1/events/${a}/causation`));
  t.match(circle, { ancestors: [{ id: b }], descendants: [{ id: b }], isComplete: true });
  const all = pageOf(await stele.call('/v1/events?after=2')).events;
  for (const [index, isComplete] of [false, false, true].entries()) {
    const found = bodyOf(await stele.call(`/v1/events/${all[index]?.id}/causation`));
    t.match(found, { ancestors: [], descendants: [], isComplete });
  }
  t.equal((await stele.call(`/v1/events/${UNKNOWN}/causation`)).status, 404);
  t.equal((await stele.call('/v1/events/x/causation')).status, 400);
});
