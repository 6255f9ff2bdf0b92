import t, { type Test } from 'tap';
import type { Rule } from '../../src/registry/rule.ts';
import { media, type StoreKind } from '../helpers/backends.ts';
import { chosenSeed, type Random, random } from '../helpers/random.ts';
import type { PlainEvent } from '../registry/rule-oracle.ts';
import { RuleAudit, type RuledAttempt } from './rule-audit.ts';
import { RuleRace, type Wanted } from './rule-racing.ts';

const WORKFLOW = {
  rule: 'workflow',
  kind: 'lifecycle',
  tag: 'workflow',
  transitions: {
    '': ['WORKFLOW.STARTED'],
    'WORKFLOW.STARTED': ['WORKFLOW.PAUSED', 'WORKFLOW.COMPLETED'],
    'WORKFLOW.PAUSED': ['WORKFLOW.RESUMED'],
    'WORKFLOW.RESUMED': ['WORKFLOW.PAUSED', 'WORKFLOW.COMPLETED'],
    // Again from the start, so that the race goes on.
    'WORKFLOW.COMPLETED': ['WORKFLOW.STARTED'],
  },
} satisfies Rule;
const SYNC: Rule = {
  rule: 'sync',
  kind: 'requires',
  types: ['repo.sync.completed'],
  query: { items: [{ types: ['repo.sync.started'] }] },
  sameTags: ['repo', 'run'],
};
const NAMES: Rule = { rule: 'names', kind: 'unique', types: ['CourseDefined', 'CourseRenamed'], tag: 'name' };
const DEFINED: Rule = {
  rule: 'defined',
  kind: 'requires',
  types: ['CourseRenamed'],
  query: { items: [{ types: ['CourseDefined'] }] },
  sameTags: ['course'],
};
const RULES = [WORKFLOW, SYNC, NAMES, DEFINED];

const NEXT: Readonly<Record<string, readonly string[]>> = WORKFLOW.transitions;
const STEPS = Object.keys(NEXT).slice(1);

const of = (type: string, tags: PlainEvent['tags']): PlainEvent => ({ type, tags, data: {} });

/** One or more events of one story; about half of them come at a time when they may. */
function drawStory(draw: Random, acknowledged: number): PlainEvent[] {
  // What is once has to be there anew as the log grows.
  const age = Math.floor(acknowledged / 8);
  const near = (name: string) => `${name}${age + draw.between(0, 3)}`;
  switch (draw.between(0, 4)) {
    case 0:
    case 1: {
      const workflow = draw.chance(0.1) ? ['w1', 'w2'] : draw.pick(['w1', 'w2', 'w3']);
      const story = [draw.pick(STEPS)];
      // Steps of one request follow each other; at times they do not.
      while (draw.chance(0.3)) {
        const next = NEXT[story.at(-1) ?? ''] ?? [];
        story.push(draw.chance(0.9) ? draw.pick(next) : draw.pick(STEPS));
      }
      return story.map((type) => of(type, { workflow }));
    }
    case 2: {
      const tags = { repo: draw.pick(['r1', 'r2']), run: near('run') };
      const completed = of('repo.sync.completed', tags);
      return draw.pick([
        [of('repo.sync.started', tags)],
        [completed],
        [of('repo.sync.started', tags), completed],
      ]);
    }
    case 3:
      return [of('CourseDefined', { course: near('c'), name: near('n') })];
    default:
      return [of('CourseRenamed', { course: near('c'), name: near('n') })];
  }
}

function drawWanted(draw: Random, acknowledged: number): Wanted {
  const events = drawStory(draw, acknowledged);
  if (draw.chance(0.2)) events.push(...drawStory(draw, acknowledged));
  if (!draw.chance(0.15)) return { events };
  const items = [{ tags: { workflow: 'w1' } }, { tags: { repo: 'r1' } }];
  return { events, conditions: [{ failIfEventsMatch: { items: [draw.pick(items)] }, after: acknowledged }] };
}

async function setUp(t: Test, kind: StoreKind) {
  const seed = chosenSeed();
  t.comment(`STELE_TEST_SEED=${seed}`);
  const race = await RuleRace.start(await kind.url(t), kind.isShared ? 3 : 1);
  t.teardown(() => race.stop());
  return { race, draw: random(seed) };
}

/** Many clients, each with so many appends one after the other. */
async function drive(
  race: RuleRace,
  { draw, clients, appends }: { draw: Random; clients: number; appends: number },
  wanted: (draw: Random) => Wanted,
): Promise<void> {
  const client = async (name: string) => {
    const own = draw.fork(name);
    for (let n = 0; n < appends; n += 1) await race.append(own, wanted(own));
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => client(`c${n}`)));
}

await media(t, (t, kind) => {
  const [clients, appends] = kind.isShared ? [30, 40] : [20, 30];

  t.test(
    'no two clients break a rule together, and every loser is told which',
    { timeout: 180_000 },
    async (t) => {
      const { race, draw } = await setUp(t, kind);
      for (const rule of RULES) await race.put(draw, rule);
      await drive(race, { draw, clients, appends }, (own) => drawWanted(own, race.acknowledged));
      t.comment(JSON.stringify(Object.fromEntries(race.tally)));
      t.same(race.surprises, [], 'nobody is told anything else');
      t.same(race.complaints, []);
      const log = await race.log();
      t.same(new RuleAudit(log, race.attempts).underRules(RULES).slice(0, 10), []);
      t.ok(log.length > (clients * appends) / 8, `progress: ${log.length} events`);
      for (const { rule } of RULES) t.ok(race.tally.has(`broken ${rule}`), `somebody lost against ${rule}`);
      for (const type of STEPS)
        t.ok(
          log.some((event) => event.type === type),
          `somebody stored ${type}`,
        );
      t.ok(race.tally.has('APPEND_CONDITION_FAILED'), 'conditions were decided beside them');
    },
  );

  t.test(
    'a rule is in force from one position to another, whoever appends',
    { timeout: 180_000 },
    async (t) => {
      const { race, draw } = await setUp(t, kind);
      const rule: Rule = { rule: 'slots', kind: 'unique', types: ['Taken'], tag: 'slot' };
      // Half of the slots are taken again and again; of the others each is new.
      let slots = 0;
      const wanted = (own: Random): Wanted => {
        slots += 1;
        const slot = own.chance(0.5) ? own.pick(['a', 'b']) : `n${slots}`;
        return { events: [of('Taken', { slot })] };
      };
      let isDone = false;
      const changes = async () => {
        const own = draw.fork('admin');
        while (!isDone) {
          await race.put(own, rule);
          await grown(race, 12, () => isDone);
          await race.remove(own, rule);
          await grown(race, 12, () => isDone);
        }
      };
      await Promise.all([
        changes(),
        drive(race, { draw, clients, appends }, wanted).finally(() => {
          isDone = true;
        }),
      ]);
      t.comment(JSON.stringify(Object.fromEntries(race.tally)));
      t.same(race.surprises, []);
      t.same(race.complaints, []);
      const log = await race.log();
      t.same(new RuleAudit(log, race.attempts).underChanges(race.changes).slice(0, 10), []);
      t.ok(race.changes.length >= 8, `the rule came and went: ${race.changes.length}`);
      t.ok(race.tally.has('broken slots'), 'it was in force');
      const again = log.filter(({ tags }) => tags['slot'] === 'a').length;
      t.ok(again > 2, `and was not: ${again}`);
    },
  );
});

/** Resolves when the log has grown by so much, or all is over. */
async function grown(race: RuleRace, events: number, isOver: () => boolean): Promise<void> {
  const goal = race.acknowledged + events;
  while (race.acknowledged < goal && !isOver()) await new Promise((resolve) => setImmediate(resolve));
}

t.test('the judge finds what is broken', async (t) => {
  const step = (attempt: number, type: string): PlainEvent => ({
    ...of(`WORKFLOW.${type}`, { workflow: 'w1' }),
    data: { attempt },
  });
  const stored = (position: number, event: PlainEvent): RuledAttempt => ({
    events: [event],
    acknowledged: position - 1,
    invokedAt: position,
    answeredAt: position + 0.5,
    outcome: { kind: 'stored', firstPosition: position },
  });
  const [started, paused, completed] = [step(0, 'STARTED'), step(1, 'PAUSED'), step(2, 'COMPLETED')];
  const honest = [stored(1, started), stored(2, paused)];
  const under = (log: PlainEvent[], attempts: RuledAttempt[]) =>
    new RuleAudit(log, attempts).underRules([WORKFLOW]);
  t.same(under([started, paused], honest), []);
  t.match(under([started, paused, completed], [...honest, stored(3, completed)]), [/position 3 breaks/]);
  t.match(under([started], honest), [/attempt 1 \(stored\) is at no position/]);
  const refusal = (event: PlainEvent, acknowledged: number): RuledAttempt => ({
    ...stored(3, event),
    acknowledged,
    outcome: { kind: 'broken', rule: 'workflow', event: 0 },
  });
  t.same(under([started, paused], [...honest, refusal(completed, 2)]), []);
  t.match(under([started, paused], [...honest, refusal(step(2, 'RESUMED'), 2)]), [/nothing justifies/]);
  t.match(
    under([started, paused, completed], [...honest, refusal(completed, 2)]).length,
    2,
    'refused and stored',
  );

  const changed = (put: number, removed: number) =>
    new RuleAudit([started, paused, completed], [...honest, stored(3, completed)]).underChanges([
      { rule: WORKFLOW, kind: 'put', acknowledged: put, answeredAt: put + 0.6 },
      { rule: WORKFLOW, kind: 'removed', acknowledged: removed, answeredAt: removed + 0.6 },
    ]);
  t.same(changed(0, 2), [], 'it was gone before the third');
  t.match(changed(0, 3), [/position 3 breaks the rule/]);
  const unjustified = new RuleAudit([started, paused], [...honest, refusal(completed, 2)]).underChanges([
    { rule: WORKFLOW, kind: 'put', acknowledged: 0, answeredAt: 0.5 },
    { rule: WORKFLOW, kind: 'removed', acknowledged: 1, answeredAt: 1.5 },
  ]);
  t.match(unjustified, [/not in force/]);
});
