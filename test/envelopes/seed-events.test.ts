import t from 'tap';
import { media } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { ACTOR_EVENTS, STREAM_EVENTS, WORKFLOW_EVENTS } from './seed-events.ts';
import type { Json } from './shapes.ts';
import { batchOf, MANY, ONE, ok, readAs, sending, sent } from './stage.ts';

const EVENTS = { stream: STREAM_EVENTS, workflow: WORKFLOW_EVENTS, actor: ACTOR_EVENTS } as const;

/** Times come out in UTC with three digits. */
function normalised(event: Json): Json {
  return { ...event, timestamp: new Date(String(event['timestamp'])).toISOString() };
}

t.test('the events of the documents come out as they went in', async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    for (const shape of ['stream', 'workflow', 'actor'] as const) {
      for (const event of EVENTS[shape]) {
        const id = await sent(stele, ONE[shape], event);
        t.same(await readAs(stele, ONE[shape], id), normalised(event), `${shape} ${JSON.stringify(event)}`);
      }
      const again = await stele.call(
        '/v1/events/batch',
        sending(MANY[shape], batchOf(shape, EVENTS[shape].slice(0, 1))),
      );
      t.match(again, { status: 201, headers: { 'idempotent-replayed': 'true' } }, 'and are known again');
    }
  });
});

t.test('what a number was written like stays', async (t) => {
  const stele = await startHttpService(t);
  const text =
    '{"eventId":"evt_1","pattern":"invoice.created","version":"1.0","source":{"type":"integration","id":"xero"},' +
    '"payload":{"amount": 1500.00, "rate":1E-2},"metadata":{}}';
  const id = await sent(stele, ONE.workflow, text);
  t.match(ok(await stele.call(`/v1/events/${id}`)).text, '"data":{"amount": 1500.00, "rate":1E-2}');
  const shaped = await stele.call(`/v1/events/${id}`, { headers: { accept: ONE.workflow } });
  t.match(ok(shaped).text, '"payload":{"amount": 1500.00, "rate":1E-2}');
});

t.test('they are events like all others', async (t) => {
  const stele = await startHttpService(t);
  const [workflow] = WORKFLOW_EVENTS;
  const id = await sent(stele, ONE.workflow, workflow);
  const { type, version, metadata, data } = bodyOf(ok(await stele.call(`/v1/events/${id}`)));
  t.same(
    { type, version, metadata, data },
    {
      type: 'invoice.created',
      version: 1,
      metadata: {
        versionText: '1.0',
        sourceType: 'integration',
        source: 'xero_main',
        correlationId: 'corr_xyz789',
        causationId: 'evt_abc456',
        context: { type: 'client', id: 'client_123' },
        foreignId: 'evt_123abc',
      },
      data: { invoice_id: 'INV-001', amount: 1500, customer_id: 'CUST-123' },
    },
  );
  await sent(stele, ONE.actor, ACTOR_EVENTS[0]);
  for (const [query, count] of [
    ['correlationIds=corr_xyz789', 1],
    ['sources=xero_main', 1],
    ['issueIds=42', 1],
    ['actorIds=loop-7', 1],
  ] as const) {
    t.equal(bodyOf(await stele.call(`/v1/events/count?${query}`))['count'], count, query);
  }
});

t.test('an event of one shape can be read in every other, and comes back from there', async (t) => {
  const stele = await startHttpService(t);
  for (const [from, events] of Object.entries(EVENTS) as [keyof typeof EVENTS, readonly Json[]][]) {
    const event = events.at(-1) as Json;
    const id = await sent(stele, ONE[from], event);
    for (const to of ['cloudevents', 'stream', 'workflow', 'actor'] as const) {
      const shown = await readAs(stele, ONE[to], id);
      const answer = await stele.call('/v1/events', sending(ONE[to], shown));
      t.match(answer, { status: 201, headers: { 'idempotent-replayed': 'true' } }, `${from} as ${to}`);
    }
  }
});
