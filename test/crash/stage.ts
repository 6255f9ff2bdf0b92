import pg from 'pg';
import type { Test } from 'tap';
import { type Answer, Caller } from '../helpers/caller.ts';
import { FaultProxy } from '../helpers/fault-proxy.ts';
import { random } from '../helpers/random.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import { type Append, Author } from '../helpers/workload.ts';

/** An append and what the service said about it. */
export interface Told {
  readonly append: Append;
  readonly status: number;
  readonly code: string | undefined;
  readonly position: number | undefined;
  readonly retryAfter: string | undefined;
  /** The ids that are in doubt, of a 504. */
  readonly ids: readonly string[] | undefined;
}

/** A service whose way to the database leads through a fault proxy, and a direct look at what is stored. */
export class Stage {
  readonly proxy: FaultProxy;
  readonly service: ServiceProcess;
  readonly caller: Caller;
  readonly author: Author;
  /** A direct connection; a test that kills the server makes a new one. */
  sql: pg.Client;

  private constructor(parts: { proxy: FaultProxy; service: ServiceProcess; sql: pg.Client; caller: Caller }) {
    this.proxy = parts.proxy;
    this.service = parts.service;
    this.sql = parts.sql;
    this.caller = parts.caller;
    this.author = new Author('stage', random(Math.floor(Math.random() * 2 ** 31)));
  }

  static async set(t: Test, url: string): Promise<Stage> {
    const { hostname, port } = new URL(url);
    const proxy = await FaultProxy.start({ host: hostname, port: Number(port) });
    t.teardown(() => proxy.stop());
    const service = await ServiceProcess.start(proxy.via(url));
    t.teardown(() => service.stop());
    const sql = await connect(t, url);
    const caller = new Caller({ timeoutMs: 30_000 });
    t.teardown(() => caller.close());
    return new Stage({ proxy, service, sql, caller });
  }

  async tell(append: Append): Promise<Told> {
    const { events, conditions, key } = append;
    const answer = await this.caller.call(this.service.origin, '/v1/events/batch', {
      method: 'POST',
      body: JSON.stringify({ events, conditions }),
      headers: key === undefined ? {} : { 'idempotency-key': `"${key}"` },
    });
    return told(append, answer);
  }

  /**
   * Some of each kind at once: with ids, with a key, with neither, guarded, alone and in batches. The first of
   * them is usually in a commit of its own, and the others wait behind it.
   */
  assortment(first: 'named' | 'nameless' = 'named'): Append[] {
    const { author } = this;
    const guard = { failIfEventsMatch: { items: [{ types: ['Never'] }] } };
    return [
      author.append({ ids: first === 'named' }),
      author.append({ ids: first === 'nameless' }),
      author.append({ key: true }),
      author.append({ ids: true, key: true, count: 3 }),
      author.append({ count: 5 }),
      author.append({ conditions: [guard], ids: true, count: 2 }),
      author.append({ conditions: [guard] }),
    ];
  }

  /** What the log holds of an append, straight from the database. */
  async stored({ events }: Append): Promise<number[]> {
    const { rows } = await this.sql.query<{ position: string }>(
      `select position from stele.events where body::text like any ($1) order by position`,
      [events.map(({ data }) => `%"token":"${data.token}"%`)],
    );
    return rows.map(({ position }) => Number(position));
  }

  /** Whether the service told the truth about an append, by what is in the log when everything is over. */
  async check(t: Test, { append, status, code, position }: Told): Promise<void> {
    const positions = await this.stored(append);
    const about = `${append.name} (${append.events.length}): ${status} ${code ?? ''}`;
    if (status === 201) {
      const wanted = append.events.map((_, at) => Number(position) + at);
      t.same(positions, wanted, `${about} is stored where it was said`);
    } else if (code === 'OUTCOME_UNKNOWN') {
      t.ok(
        positions.length === 0 || positions.length === append.events.length,
        `${about} is whole or absent`,
      );
    } else {
      t.same(positions, [], `${about} is not stored`);
    }
  }

  async healthy(t: Test): Promise<void> {
    await this.service.ready();
    const after = await this.tell(this.author.append({ ids: true }));
    t.equal(after.status, 201, 'the service goes on');
    t.ok(this.service.isRunning);
    t.notMatch(this.service.output, /unhandled|uncaught/i);
  }
}

/** A direct connection of the test's own. */
export async function connect(t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  t.teardown(() => client.end().catch(() => undefined));
  return client;
}

function told(append: Append, { status, text, headers }: Answer): Told {
  const { code, firstPosition, ids } = JSON.parse(text) as {
    code?: string;
    firstPosition?: number;
    ids?: string[];
  };
  return { append, status, code, position: firstPosition, retryAfter: headers['retry-after'], ids };
}

export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}
