import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { Moment } from '../helpers/fault-proxy.ts';
import { database } from '../helpers/postgres.ts';
import { Stage } from './stage.ts';

/** The connection to the database breaks around an append; whatever the service answers has to be true. */
const CALL = /\0append\0/;
const MOMENTS: readonly Moment[] = [
  'before-request',
  'amid-request',
  'after-request',
  'before-answer',
  'amid-answer',
];

t.test('a connection that breaks at any moment of an append leads to a true answer', async (t) => {
  const stage = await Stage.set(t, await database(t));
  for (const moment of MOMENTS) {
    const sprung = stage.proxy.trap(CALL, moment);
    const [answers] = await Promise.all([
      Promise.all(stage.assortment().map((append) => stage.tell(append))),
      sprung,
    ]);
    for (const told of answers) {
      t.equal(
        told.status,
        201,
        `${moment}: the database is there, so it is found out and put right (${told.code})`,
      );
      await stage.check(t, told);
    }
  }
  await stage.healthy(t);
});

t.test('twice in a row', async (t) => {
  const stage = await Stage.set(t, await database(t));
  for (const [first, second] of [
    ['before-answer', 'before-answer'],
    ['after-request', 'amid-request'],
    ['before-answer', 'before-request'],
  ] as const) {
    // A service without a session would meet the second trap first, and never come to the first.
    await stage.healthy(t);
    const sprung = [stage.proxy.trap(CALL, first), stage.proxy.trap(/fence/, second)];
    const [answers] = await Promise.all([
      Promise.all(stage.assortment().map((append) => stage.tell(append))),
      ...sprung,
    ]);
    for (const told of answers) await stage.check(t, told);
  }
  await stage.healthy(t);
});

t.test('a repeated append whose look-up fails does not take its neighbours with it', async (t) => {
  const stage = await Stage.set(t, await database(t));
  const old = stage.author.append({ ids: true, count: 2 });
  t.equal((await stage.tell(old)).status, 201);
  let failed = 0;
  for (let round = 0; round < 5; round += 1) {
    // One is under way while the others queue up, so that they share a batch with the repetition.
    const first = stage.tell(stage.author.append({}));
    const sprung = stage.proxy.trap(/event_ids i left join/, 'before-request').then(() => true);
    const told = await Promise.all([
      stage.tell(old),
      ...stage.assortment().map((append) => stage.tell(append)),
    ]);
    if (await Promise.race([sprung, sleep(500, false)])) failed += 1;
    stage.proxy.disarm();
    await first;
    const [repetition, ...others] = told;
    if (repetition?.status === 201) await stage.check(t, repetition);
    for (const other of others) await stage.check(t, other);
  }
  t.ok(failed > 0, `${failed} look-ups failed`);
  await stage.healthy(t);
});

t.test('a database that falls silent is given up, and the answer is true', { timeout: 60_000 }, async (t) => {
  const stage = await Stage.set(t, await database(t));
  const sprung = stage.proxy.trap(CALL, 'silence');
  const [answers] = await Promise.all([
    Promise.all(stage.assortment().map((append) => stage.tell(append))),
    sprung,
  ]);
  for (const told of answers) await stage.check(t, told);
  await stage.healthy(t);
});

t.test('bad weather between service and database', { timeout: 120_000 }, async (t) => {
  const stage = await Stage.set(t, await database(t));
  for (const [weather, forMs] of [
    ['stalled', 1000],
    ['gone', 300],
    ['gone', 2500],
    ['stalled', 9000],
  ] as const) {
    const before = Promise.all(stage.assortment().map((append) => stage.tell(append)));
    stage.proxy.weather = weather;
    const during = Promise.all(stage.assortment().map((append) => stage.tell(append)));
    await sleep(forMs);
    stage.proxy.weather = 'clear';
    const answers = [...(await before), ...(await during)];
    await stage.service.ready();
    // A late call has to be over before the log is looked at: the next append stands behind it.
    await until201(stage);
    for (const told of answers) {
      const expected = [undefined, 'STORAGE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'OVERLOADED'];
      t.ok(expected.includes(told.code), `${weather}: ${told.status} ${told.code ?? ''}`);
      if (told.status === 503) t.match(told.retryAfter, /^\d+$/, 'says when to come back');
      await stage.check(t, told);
    }
  }
  await stage.healthy(t);
});

t.test(
  'when the database stays away the answer is 504 with the ids, and they can be sent again',
  { timeout: 60_000 },
  async (t) => {
    const stage = await Stage.set(t, await database(t));
    const sprung = stage.proxy.trap(CALL, 'before-answer');
    const telling = stage.tell(stage.author.append({ ids: true, count: 3 }));
    await sprung;
    stage.proxy.weather = 'gone';
    const told = await telling;
    t.equal(told.status, 504);
    t.equal(told.code, 'OUTCOME_UNKNOWN');
    t.same(
      told.ids,
      told.append.events.map(({ id }) => id),
    );
    stage.proxy.weather = 'clear';
    await until201(stage);
    const again = await stage.tell(told.append);
    t.equal(again.status, 201);
    await stage.check(t, again);
    await stage.healthy(t);
  },
);

async function until201(stage: Stage): Promise<void> {
  for (;;) {
    const { status } = await stage.tell(stage.author.append({ ids: true }));
    if (status === 201) return;
    await sleep(50);
  }
}
