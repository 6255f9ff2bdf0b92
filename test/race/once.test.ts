import t, { type Test } from 'tap';
import { media, type StoreKind } from '../helpers/backends.ts';
import { Caller } from '../helpers/caller.ts';
import { readLog } from '../helpers/final-log.ts';
import { random } from '../helpers/random.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import { type Append, Author } from '../helpers/workload.ts';

interface Sent {
  readonly status: number;
  readonly code: string | undefined;
  readonly firstPosition: number | undefined;
  readonly replayed: boolean;
}

/** An append that is sent again is stored once, whichever process gets it and whoever has died since. */
async function setUp(t: Test, kind: StoreKind) {
  const url = await kind.url(t);
  const one = await ServiceProcess.start(url);
  // A store for one process: both are the same.
  const services = [one, kind.isShared ? await ServiceProcess.start(url) : one] as const;
  const caller = new Caller();
  t.teardown(async () => {
    caller.close();
    for (const service of services) await service.stop();
  });
  const author = new Author('once', random(Math.floor(Math.random() * 2 ** 31)));
  const send = async (service: ServiceProcess, append: Append): Promise<Sent> => {
    const { events, key } = append;
    const { status, text, headers } = await caller.call(service.origin, '/v1/events/batch', {
      method: 'POST',
      body: JSON.stringify({ events }),
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
    const { code, firstPosition } = JSON.parse(text) as { code?: string; firstPosition?: number };
    // One process knows that the first is still under way, and says so; on a busy machine it may also be behind.
    if (code === 'REQUEST_IN_FLIGHT' || code === 'OVERLOADED') return await send(service, append);
    return { status, code, firstPosition, replayed: headers['idempotent-replayed'] === 'true' };
  };
  return { services, author, send, log: () => readLog(caller, services[0].origin) };
}

const KINDS = [
  { name: 'by its ids', options: { ids: true, count: 2 }, taken: 'DUPLICATE_EVENT' },
  { name: 'by its key', options: { key: true, count: 2 }, taken: 'IDEMPOTENCY_KEY_REUSED' },
] as const;

await media(t, (t, kind) => {
  for (const { name, options, taken } of KINDS) {
    t.test(`known ${name}: to the same process, to another one, and after a SIGKILL`, async (t) => {
      const { services, author, send, log } = await setUp(t, kind);
      const [first, second] = services;
      const append = author.append(options);
      const answer = await send(first, append);
      t.match(answer, { status: 201, firstPosition: 1, replayed: false });
      t.match(await send(first, append), { status: 201, firstPosition: 1, replayed: true });
      t.match(await send(second, append), { status: 201, firstPosition: 1, replayed: true });
      if (kind.name !== 'memory') {
        await first.kill();
        await first.restart();
        t.match(await send(first, append), { status: 201, firstPosition: 1, replayed: true });
      }
      const impostor = {
        ...author.impostor(append),
        ...(append.key === undefined ? {} : { key: append.key }),
      };
      for (const service of services) t.match(await send(service, impostor), { code: taken });
      t.equal((await log()).length, 2);
    });

    t.test(`known ${name}: sent to both at once, many times`, async (t) => {
      const { services, author, send, log } = await setUp(t, kind);
      const appends = Array.from({ length: 30 }, () => author.append(options));
      const answers = await Promise.all(
        appends.flatMap((append) =>
          services.map(async (service) => ({ append, ...(await send(service, append)) })),
        ),
      );
      for (const append of appends) {
        const pair = answers.filter((answer) => answer.append === append);
        t.same(
          pair.map(({ status }) => status),
          [201, 201],
        );
        t.equal(pair[0]?.firstPosition, pair[1]?.firstPosition);
        t.same(
          pair.map(({ replayed }) => replayed).sort(),
          [false, true],
          'one stored it, the other says so',
        );
      }
      t.equal((await log()).length, 60);
    });
  }
});
