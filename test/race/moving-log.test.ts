import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { LoggedEvent } from '../helpers/audit-index.ts';
import { Caller } from '../helpers/caller.ts';
import { FaultProxy } from '../helpers/fault-proxy.ts';
import { database } from '../helpers/postgres.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

/** Reads, and decisions built on them, while another process appends. */
interface Page {
  readonly events: readonly LoggedEvent[];
  readonly next: string | null;
  readonly position: number;
}

async function setUp(t: Test) {
  const url = await database(t);
  const { hostname, port } = new URL(url);
  const proxy = await FaultProxy.start({ host: hostname, port: Number(port) });
  t.teardown(() => proxy.stop());
  // The reader has appended nothing, so it has to ask the store; the writer goes around the proxy.
  const writer = await ServiceProcess.start(url);
  t.teardown(() => writer.stop());
  const reader = await ServiceProcess.start(proxy.via(url));
  t.teardown(() => reader.stop());
  const caller = new Caller();
  t.teardown(() => caller.close());
  const post = async <T>(service: ServiceProcess, path: string, body: unknown) => {
    const answer = await caller.call(service.origin, path, { method: 'POST', body: JSON.stringify(body) });
    return { status: answer.status, body: JSON.parse(answer.text) as T };
  };
  let written = 0;
  const append = async (count = 1): Promise<void> => {
    const events = Array.from({ length: count }, () => {
      written += 1;
      // Times and types run against the positions, so that every order differs.
      const timestamp = new Date(Date.UTC(2026, 0, 1) - (written % 7) * 1000).toISOString();
      return { type: `T${written % 3}`, timestamp, tags: { seat: '1' }, data: { n: written } };
    });
    t.equal((await post(writer, '/v1/events/batch', { events })).status, 201);
  };
  return { proxy, reader, writer, append, post };
}

t.test('the position of a read is the head before its events were read', async (t) => {
  const { proxy, reader, writer, append, post } = await setUp(t);
  await append(5);
  const items = [{ tags: { seat: '1' } }];
  for (let round = 0; round < 3; round += 1) {
    const reading = post<Page>(reader, '/v1/events/query', { items, limit: 1000 });
    const over = reading.then(() => undefined);
    // Whatever statements the read consists of, an event is stored before each of them that looks for events.
    for (;;) {
      const release = await Promise.race([proxy.hold(/seat:1/), over]);
      if (release === undefined) break;
      await append();
      release();
    }
    proxy.disarm();
    const { body: page } = await reading;
    const positions = page.events.map(({ position }) => position);
    t.same(positions, upTo(page.position), 'every match up to the position is there, and none above it');
    const decision = {
      events: [{ type: 'Taken', data: {} }],
      conditions: [{ failIfEventsMatch: { items }, after: page.position }],
    };
    t.equal(
      (await post(writer, '/v1/events/batch', decision)).status,
      409,
      'what came in between is a conflict',
    );
  }
});

const ORDERS = ['position', 'timestamp', 'type', 'eventId'] as const;

t.test('pages show one state of the log, whatever comes in between', async (t) => {
  const { reader, append, post } = await setUp(t);
  await append(9);
  for (const orderBy of ORDERS) {
    for (const orderDirection of ['asc', 'desc'] as const) {
      const query = { items: [{ tags: { seat: '1' } }], orderBy, orderDirection, limit: 4 };
      let { body: page } = await post<Page>(reader, '/v1/events/query', query);
      const { position } = page;
      const seen = [...page.events];
      while (page.next !== null) {
        await append();
        page = (await post<Page>(reader, '/v1/events/query', { ...query, cursor: page.next })).body;
        t.equal(page.position, position, 'the position stays');
        seen.push(...page.events);
      }
      const positions = seen.map((event) => event.position).sort((a, b) => a - b);
      t.same(positions, upTo(position), `${orderBy} ${orderDirection}: each event once, nothing new`);
    }
  }
});

t.test('`after` is the last position that a decision knows', async (t) => {
  const { writer, reader, append, post } = await setUp(t);
  await append(3);
  const items = [{ tags: { seat: '1' } }];
  const decide = (service: ServiceProcess, after: number) =>
    post(service, '/v1/events/batch', {
      events: [{ type: 'Taken', tags: { other: '1' }, data: {} }],
      conditions: [{ failIfEventsMatch: { items }, after }],
    });
  for (const service of [reader, writer]) {
    t.equal((await decide(service, 2)).status, 409);
    t.equal((await decide(service, 3)).status, 201);
  }
  // And where memory decides, because the process has stored it all itself.
  await append();
  await sleep(0);
  const { body } = await post<Page>(writer, '/v1/events/query', { items, orderDirection: 'desc', limit: 1 });
  const last = body.events[0]?.position ?? 0;
  t.equal((await decide(writer, last - 1)).status, 409);
  t.equal((await decide(writer, last)).status, 201);
});

function upTo(position: number): number[] {
  return Array.from({ length: position }, (_, index) => index + 1);
}
