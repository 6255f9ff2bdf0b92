import t from 'tap';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { append, post, refusal } from './stage.ts';

const wide = (length: number) => '\u{1F600}'.repeat(length);

t.test('lengths count characters, whatever their width', async (t) => {
  const stele = await startHttpService(t);
  const send = (members: object) => stele.call('/v1/events', post({ type: 'A', data: {}, ...members }));
  t.equal(
    (await send({ tags: { a: wide(200), b: [wide(256)] }, metadata: { actorId: wide(512) } })).status,
    201,
  );
  t.same(refusal(await send({ tags: { a: wide(257), b: [wide(256), `${wide(256)}x`] } })).pointers, [
    '/tags/a',
    '/tags/b/1',
  ]);
  t.same(refusal(await send({ tags: { a: '' } })).pointers, ['/tags/a']);
  t.same(refusal(await send({ metadata: { actorId: wide(513) } })).pointers, ['/metadata/actorId']);
  t.same(refusal(await send({ metadata: { actorId: 'x'.repeat(513) } })).pointers, ['/metadata/actorId']);
  const guard = (value: string) => ({
    events: [{ type: 'A', data: {} }],
    conditions: [{ failIfEventsMatch: { items: [{ tags: { b: value } }] } }],
  });
  t.equal((await stele.call('/v1/events/batch', post(guard(wide(256))))).status, 409);
  t.equal((await stele.call('/v1/events/batch', post(guard(wide(257))))).status, 400);
});

t.test('what was stored is found by every way of asking', async (t) => {
  const stele = await startHttpService(t);
  const metadata = { correlationId: wide(512), actorId: wide(512) };
  await append(stele, [{ tags: { issueId: wide(256), b: wide(256) }, metadata }]);
  const encoded = encodeURIComponent(wide(256));
  for (const path of [
    `/v1/events?tags=b:${encoded}`,
    `/v1/events?issueIds=${encoded}`,
    `/v1/events?actorIds=${encoded}${encoded}`,
    `/v1/correlations/${encoded}${encoded}/events`,
  ]) {
    t.match(bodyOf(await stele.call(path)), { events: [{ position: 1 }] }, path.slice(0, 30));
  }
  t.match(bodyOf(await stele.call(`/v1/tags/b?prefix=${encoded}`)), { values: [wide(256)] });
  t.same(refusal(await stele.call(`/v1/tags/b?prefix=${encoded}x`)).pointers, ['?prefix']);
  t.same(refusal(await stele.call(`/v1/correlations/${encoded}${encoded}x/events`)).pointers, ['{id}']);
});

t.test('the cursor behind the longest value is taken back', async (t) => {
  const stele = await startHttpService(t);
  const prefix = '\u0001'.repeat(255);
  await append(stele, [{ tags: { a: [`${prefix}\u0001`, `${prefix}\u0002`] } }]);
  const path = `/v1/tags/a?limit=1&prefix=${encodeURIComponent(prefix)}`;
  const { next } = bodyOf(await stele.call(path));
  const second = bodyOf(await stele.call(`${path}&cursor=${next}`));
  t.match(second, { values: [`${prefix}\u0002`], next: null });
});
