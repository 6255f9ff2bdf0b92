import fc from 'fast-check';
import t from 'tap';
import type { StoreError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { NewEvent } from '../../src/model/event.ts';
import { type Check, matches } from '../../src/model/query.ts';
import { ruleViolation } from '../../src/registry/judged-request.ts';
import type { Rule, RuleInput } from '../../src/registry/rule.ts';
import { RuleBook } from '../../src/registry/rule-book.ts';
import { chosenSeed } from '../helpers/random.ts';
import { event } from '../helpers/requests.ts';
import { brokenBy, log, type PlainEvent, requestEvents, rules } from './rule-oracle.ts';

/** `STELE_TEST_SEED` repeats the runs of a failure. */
const seed = chosenSeed();
t.comment(`seed ${seed}`);

const WORKFLOW: RuleInput = {
  kind: 'lifecycle',
  tag: 'workflow',
  transitions: {
    '': ['WORKFLOW.STARTED'],
    'WORKFLOW.STARTED': ['WORKFLOW.PAUSED', 'WORKFLOW.COMPLETED'],
    'WORKFLOW.PAUSED': ['WORKFLOW.RESUMED'],
    'WORKFLOW.RESUMED': ['WORKFLOW.PAUSED', 'WORKFLOW.COMPLETED'],
  },
};
const SYNC: RuleInput = {
  kind: 'requires',
  types: ['repo.sync.completed'],
  query: { items: [{ types: ['repo.sync.started'] }] },
  sameTags: ['repo'],
};
const COURSES: RuleInput = { kind: 'unique', types: ['CourseDefined', 'CourseRenamed'], tag: 'name' };

/** Whether a log lets a check pass: what a check means, see model/query.ts. */
function holds({ query, after, expect }: Check, events: readonly NewEvent[]): boolean {
  const found = events.slice(Math.min(after, events.length)).filter((one) => matches(query, one));
  if (expect === undefined) return found.length === 0;
  if (expect === 'some') return found.length > 0;
  const last = found.at(-1);
  return last === undefined ? expect.orNone : expect.types.has(last.type);
}

function bookOf(...inputs: RuleInput[]): RuleBook {
  return RuleBook.of(inputs.map((input, index): Rule => ({ ...input, rule: `rule-${index}` })));
}

/** The first guard of a request that a log breaks. */
function broken(book: RuleBook, past: readonly NewEvent[], events: readonly NewEvent[]) {
  return book.guards(events).find(({ check }) => !holds(check, past));
}

const of = (type: string, tags: PlainEvent['tags'] = {}, data: object = {}) =>
  event({ type, tags, data: { ...data } });
const step = (name: string, workflow: string | string[] = '7') => of(`WORKFLOW.${name}`, { workflow });

t.test('guards refuse what a replay of the log refuses, and name the same rule and event', async (t) => {
  const counts = { stored: 0, refused: 0, mended: 0 };
  const property = fc.property(rules, log, requestEvents, (rules, past, request) => {
    const expected = brokenBy(rules, past, request);
    const guard = broken(RuleBook.of(rules), past.map(event), request.map(event));
    const { rule, event: index } = guard ?? {};
    counts[expected === undefined ? 'stored' : 'refused'] += 1;
    if (expected === undefined && request.some((one) => brokenBy(rules, past, [one]) !== undefined))
      counts.mended += 1;
    return rule === expected?.rule && index === expected?.event;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 8000, seed }));
  t.comment(JSON.stringify(counts));
  for (const [what, count] of Object.entries(counts)) t.ok(count > 20, `${what}: ${count}`);
});

t.test('a lifecycle lets in what may follow the last of its types with the same value', async (t) => {
  const book = bookOf(WORKFLOW);
  const past = [step('STARTED'), step('PAUSED'), step('STARTED', '8'), of('OTHER', { workflow: '7' })];
  t.equal(broken(book, past, [step('RESUMED')]), undefined);
  t.match(broken(book, past, [step('COMPLETED')]), { rule: 'rule-0', event: 0 });
  t.equal(broken(book, past, [step('COMPLETED', '8')]), undefined, 'the other value goes its own way');
  t.ok(broken(book, past, [step('STARTED')]), 'nothing starts twice');
  t.equal(broken(book, past, [step('STARTED', '9')]), undefined);
  t.ok(broken(book, past, [step('PAUSED', '9')]), 'nothing is paused that did not start');
});

t.test('each value of the tag has a lifecycle of its own', async (t) => {
  const book = bookOf(WORKFLOW);
  const past = [step('STARTED', ['7', '8']), step('PAUSED', '7')];
  t.ok(broken(book, past, [step('COMPLETED', ['7', '8'])]), 'one of them is paused');
  t.equal(broken(book, past, [step('RESUMED', '7'), step('COMPLETED', ['7', '8'])]), undefined);
});

t.test('only the first event of a value in a request is asked of the log', async (t) => {
  const book = bookOf(WORKFLOW);
  const request = [step('STARTED'), step('PAUSED'), step('RESUMED'), step('COMPLETED')];
  t.equal(book.guards(request).length, 1);
  t.equal(broken(book, [], request), undefined);
  t.match(broken(book, [], [step('STARTED'), step('RESUMED')]), {
    event: 1,
    reason: 'it cannot follow WORKFLOW.STARTED, which stands before it in the request',
  });
});

t.test('an event that lacks the tag of a lifecycle, or of what it requires, breaks the rule', async (t) => {
  const everything = [step('STARTED'), of('repo.sync.started', { repo: 'a' })];
  t.match(broken(bookOf(WORKFLOW), everything, [of('WORKFLOW.STARTED', { workflows: '7' })]), {
    reason: 'it has no tag workflow',
  });
  t.match(broken(bookOf(SYNC), everything, [of('repo.sync.completed')]), { reason: 'it has no tag repo' });
});

t.test('what is required may be in the log or earlier in the request, never later', async (t) => {
  const book = bookOf(SYNC);
  const started = of('repo.sync.started', { repo: 'a' });
  const completed = of('repo.sync.completed', { repo: 'a' });
  t.equal(broken(book, [started], [completed]), undefined);
  t.same(book.guards([started, completed]), [], 'nothing is left to ask');
  t.ok(broken(book, [], [completed, started]));
  t.ok(broken(book, [of('repo.sync.started', { repo: 'b' })], [completed]), 'another repository');
});

t.test('an event with several values requires one event that has them all', async (t) => {
  const book = bookOf(SYNC);
  const completed = of('repo.sync.completed', { repo: ['a', 'b'] });
  t.ok(
    broken(
      book,
      [of('repo.sync.started', { repo: 'a' }), of('repo.sync.started', { repo: 'b' })],
      [completed],
    ),
  );
  t.equal(broken(book, [of('repo.sync.started', { repo: ['b', 'c', 'a'] })], [completed]), undefined);
});

t.test('a query without items asks for any event with the shared tags', async (t) => {
  const book = bookOf({ kind: 'requires', types: ['B'], query: {}, sameTags: ['k'] });
  t.equal(broken(book, [of('X', { k: '1' })], [of('B', { k: '1' })]), undefined);
  t.ok(broken(book, [of('X', { k: '2' })], [of('B', { k: '1' })]));
  const anything = bookOf({ kind: 'requires', types: ['B'], query: {} });
  t.equal(broken(anything, [of('X')], [of('B')]), undefined);
  t.ok(broken(anything, [], [of('B')]), 'an event is not its own predecessor');
  t.same(anything.guards([of('X'), of('B')]), []);
});

t.test('a value is taken once by all types of a unique rule, and by nobody who lacks the tag', async (t) => {
  const book = bookOf(COURSES);
  const past = [of('CourseDefined', { name: 'Algebra' }), of('CourseDropped', { name: 'Geometry' })];
  t.ok(broken(book, past, [of('CourseRenamed', { name: 'Algebra' })]));
  t.ok(broken(book, past, [of('CourseDefined', { name: ['Topology', 'Algebra'] })]), 'one of two values');
  t.equal(broken(book, past, [of('CourseDefined', { name: 'Geometry' })]), undefined, 'another type');
  t.equal(broken(book, past, [of('CourseDefined', { name: 'algebra' })]), undefined, 'another text');
  t.same(book.guards([of('CourseDefined', { names: 'Algebra' })]), []);
  const request = [of('CourseDefined', { name: 'Logic' }), of('CourseRenamed', { name: 'Logic' })];
  t.match(broken(book, [], request), {
    event: 1,
    reason: 'event 0 of the request has the same value of the tag',
  });
});

t.test('a comparison looks at the event alone', async (t) => {
  const compare = (
    left: string,
    operator: 'equals' | 'notEquals' | 'lt' | 'lte' | 'gt' | 'in',
    right: unknown,
  ) => bookOf({ kind: 'compare', types: ['B'], left, operator, right });
  const passes = (book: RuleBook, data: object, tags = {}) =>
    broken(book, [], [of('B', tags, data)]) === undefined;

  const paid = compare('/data/paid', 'lte', '/data/total');
  t.ok(passes(paid, { paid: 9, total: 10 }));
  t.notOk(passes(paid, { paid: 10, total: 9 }));
  t.notOk(passes(paid, { paid: '9', total: 10 }), 'a text and a number have no order');
  t.notOk(passes(paid, { paid: 9 }), 'a missing member');
  t.notOk(passes(paid, { paid: null, total: null }), 'null has no order');

  t.ok(passes(compare('/data/a~1b/0', 'equals', { x: [1] }), { 'a/b': [{ x: [1] }] }));
  t.notOk(passes(compare('/data/constructor/name', 'equals', 'Object'), {}), 'only members of its own');
  t.ok(passes(compare('/data/a', 'notEquals', 1), {}), 'what is missing differs');
  t.notOk(passes(compare('/data/a', 'equals', '/data/b'), {}), 'two missing members are not equal');
  t.ok(passes(compare('/tags/mode', 'in', ['dev', 'prod']), {}, { mode: 'dev' }));
  t.ok(passes(compare('/data/lead', 'in', '/tags/student'), { lead: '2' }, { student: ['1', '2'] }));
  t.notOk(passes(compare('/data/lead', 'in', '/tags/student'), { lead: '1' }, { student: '1' }), 'no list');
  t.ok(passes(compare('/type', 'equals', 'B'), {}));
  t.ok(passes(compare('/version', 'gt', 0), {}));
  t.notOk(
    passes(compare('/timestamp', 'gt', '2020-01-01T00:00:00Z'), {}),
    'it is not known before it is stored',
  );
});

t.test('texts that are times are compared as times, others by code points', async (t) => {
  const book = bookOf({ kind: 'compare', types: ['B'], left: '/data/a', operator: 'lt', right: '/data/b' });
  const isBefore = (a: string, b: string) => broken(book, [], [of('B', {}, { a, b })]) === undefined;
  t.ok(isBefore('2026-11-21T09:00:00Z', '2026-11-21T09:00:00.5Z'));
  t.ok(isBefore('2026-11-21T10:00:00+02:00', '2026-11-21T09:00:00Z'));
  t.notOk(isBefore('2026-11-21T09:00:00Z', '2026-11-21T10:00:00+01:00'), 'the same time');
  t.ok(isBefore('2026-11-21T09:00', '2026-11-22T09:00'), 'no times, but texts');
  t.ok(isBefore('\uffff', '😀'));
});

t.test(
  'what a request breaks by itself is refused by every log, and nothing is asked after it',
  async (t) => {
    const book = bookOf(WORKFLOW, COURSES);
    const request = [
      of('CourseDefined', { name: 'a' }),
      step('STARTED'),
      step('STARTED'),
      step('STARTED', '9'),
    ];
    const guards = book.guards(request);
    t.match(
      guards.map(({ rule, event }) => ({ rule, event })),
      [
        { rule: 'rule-1', event: 0 },
        { rule: 'rule-0', event: 1 },
        { rule: 'rule-0', event: 2 },
      ],
    );
    const last = guards.at(-1)?.check as Check;
    for (const past of [[], [step('STARTED')], request]) t.notOk(holds(last, past));
  },
);

t.test('types without rules ask nothing', async (t) => {
  t.same(RuleBook.of([]).guards([of('A')]), []);
  t.same(
    bookOf(WORKFLOW, SYNC, COURSES).guards([of('repo.sync.started', { repo: 'a' }), of('A', { name: 'x' })]),
    [],
  );
});

t.test('guards that ask the same are asked once', async (t) => {
  const completed = () => of('repo.sync.completed', { repo: 'a' });
  t.equal(bookOf(SYNC).guards([completed(), completed(), completed()]).length, 1);
});

t.test('a request that asks too much is refused', async (t) => {
  const names = Array.from({ length: 60 }, (_, index) => `n${index}`);
  const events = Array.from({ length: 400 }, (_, at) =>
    of('CourseDefined', { name: names.map((name) => `${name}-${at}`) }),
  );
  t.equal(bookOf(COURSES).guards(events.slice(0, 200)).length, 12_000);
  t.throws(() => bookOf(COURSES).guards(events), { code: 'PAYLOAD_TOO_LARGE' });
  t.ok(LIMITS.guardsMax >= 16 * LIMITS.batchEventsMax, 'a full batch may ask as much as its conditions');
});

t.test('a violation tells rule and event, and why', async (t) => {
  const tell = (book: RuleBook, past: NewEvent[], request: NewEvent[]) => {
    const guard = broken(book, past, request);
    return guard === undefined ? undefined : ruleViolation(guard);
  };
  const cases: [StoreError | undefined, string][] = [
    [
      tell(bookOf(WORKFLOW), [], [step('COMPLETED')]),
      'Event 0 breaks the rule rule-0: it can only follow WORKFLOW.STARTED, WORKFLOW.RESUMED.',
    ],
    [
      tell(bookOf(WORKFLOW), [step('STARTED')], [of('A'), step('STARTED')]),
      'Event 1 breaks the rule rule-0: it can only be the first with its value of the tag.',
    ],
    [
      tell(bookOf(SYNC), [], [of('repo.sync.completed', { repo: 'a' })]),
      'Event 0 breaks the rule rule-0: no earlier event is what it requires.',
    ],
    [
      tell(bookOf(COURSES), [of('CourseDefined', { name: 'a' })], [of('CourseDefined', { name: 'a' })]),
      'Event 0 breaks the rule rule-0: an event with the same value of the tag is there already.',
    ],
    [
      tell(
        bookOf({ kind: 'compare', types: ['B'], left: '/data/a', operator: 'gt', right: 5 }),
        [],
        [of('B')],
      ),
      'Event 0 breaks the rule rule-0: /data/a gt its value does not hold.',
    ],
  ];
  for (const [error, message] of cases) {
    t.equal(error?.code, 'RULE_VIOLATION');
    t.equal(error?.message, message);
    t.match(error?.members, { rule: 'rule-0' });
  }
});
