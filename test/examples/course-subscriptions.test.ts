import t from 'tap';
import { audit, changeCapacity, defineCourse, subscribe } from '../../examples/course-subscriptions.ts';
import { raceAndAudit } from '../../examples/course-subscriptions-race.ts';
import { createClient } from '../../src/client/index.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { database } from '../helpers/postgres.ts';

t.test('the rules, one after the other', async (t) => {
  const service = await startHttpService(t);
  const client = createClient({ url: service.origin });
  const broken = (rule: RegExp) => ({ name: 'RuleBroken', message: rule });

  await t.rejects(subscribe(client, 's1', 'c1'), broken(/c1 is not defined/));
  await t.rejects(changeCapacity(client, 'c1', 3), broken(/c1 is not defined/));
  await defineCourse(client, 'c1', 1);
  await t.rejects(defineCourse(client, 'c1', 2), broken(/c1 is defined already/));
  await subscribe(client, 's1', 'c1');
  await t.rejects(subscribe(client, 's1', 'c1'), broken(/s1 takes course c1 already/));
  await t.rejects(subscribe(client, 's2', 'c1'), broken(/c1 is full/));
  await changeCapacity(client, 'c1', 2);
  await changeCapacity(client, 'c1', 2);
  await subscribe(client, 's2', 'c1');
  await t.rejects(changeCapacity(client, 'c1', 1), broken(/more students than that/));
  for (const course of ['c2', 'c3', 'c4', 'c5', 'c6']) await defineCourse(client, course, 9);
  for (const course of ['c2', 'c3', 'c4', 'c5']) await subscribe(client, 's1', course);
  await t.rejects(subscribe(client, 's1', 'c6'), broken(/s1 takes enough courses/));
  await subscribe(client, 's2', 'c6');
  t.strictSame(await audit(client), { courses: 6, subscriptions: 7, capacityChanges: 1, faults: [] });
});

t.test('the audit sees what it is there to see', async (t) => {
  const service = await startHttpService(t);
  const client = createClient({ url: service.origin });
  const types = { defined: 'COURSE.DEFINED', subscribed: 'COURSE.STUDENT.SUBSCRIBED' };
  const defined = (course: string, capacity: number) => ({ type: types.defined, data: { course, capacity } });
  const subscribed = (student: string, course: string) => ({
    type: types.subscribed,
    data: { student, course },
  });
  // Appended without their conditions, as careless code would.
  await client.append([
    defined('c1', 1),
    subscribed('s1', 'c1'),
    subscribed('s2', 'c1'),
    subscribed('s2', 'c1'),
  ]);
  await client.append(
    ['c2', 'c3', 'c4', 'c5', 'c6'].flatMap((course) => [defined(course, 9), subscribed('s1', course)]),
  );
  t.strictSame((await audit(client)).faults, [
    'position 3: c1 has 2 students and takes 1',
    'position 4: s2 subscribes to c1 again',
    'position 4: c1 has 2 students and takes 1',
    'position 14: s1 takes 6 courses',
  ]);
});

t.test(
  'six processes race for few places over two services; no rule is broken at any position',
  async (t) => {
    const store = await database(t);
    const services = [
      await startHttpService(t, { argv: ['--store', store] }),
      await startHttpService(t, { argv: ['--store', store] }),
    ];
    const settings = { processes: 6, commands: 40, concurrency: 4, courses: 8, students: 30, seed: 7 };
    const result = await raceAndAudit({ urls: services.map(({ origin }) => origin), ...settings });
    t.comment(result);
    t.strictSame(result.faults, []);
    t.ok(result.courses > settings.courses / 2, 'courses were defined in the race, too');
    t.equal(result.lost, 0, 'whoever loses a race decides again until there is a decision');
    t.ok(result.accepted > 0 && result.refused > 0, 'there was something to race for');
    t.ok(result.subscriptions > 20);
    t.equal(result.accepted + result.refused, settings.processes * settings.commands);
  },
);
