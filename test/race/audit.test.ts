import t from 'tap';
import { audit, auditLog } from '../helpers/audit.ts';
import type {
  Attempt,
  AuditCondition,
  Frame,
  History,
  Outcome,
  Read,
  Rule,
  SentEvent,
} from '../helpers/audit-history.ts';
import { AuditIndex, type LoggedEvent } from '../helpers/audit-index.ts';

/**
 * The judge is tried first: an honest history passes, and every way to break it is found under its own rule.
 */
const LENDING: AuditCondition = {
  failIfEventsMatch: { items: [{ types: ['Lent'], tags: { book: '1' } }] },
  after: 1,
};

function sent(request: string, part = 0, over: Partial<SentEvent> = {}): SentEvent {
  return {
    id: `id-${request}-${part}`,
    type: 'Lent',
    tags: { book: '1' },
    data: { token: `${request}#${part}`, conditions: [] },
    ...over,
  };
}

function logged(position: number, event: SentEvent, over: Partial<LoggedEvent> = {}): LoggedEvent {
  const recordedAt = `2026-11-21T09:30:0${position}.000Z`;
  return {
    id: event.id ?? `made-${position}`,
    type: event.type,
    timestamp: recordedAt,
    version: 1,
    tags: event.tags,
    metadata: {},
    data: event.data,
    position,
    recordedAt,
    ...over,
  };
}

function attempt(
  request: string,
  times: [number, number],
  outcome: Outcome,
  over: Partial<Attempt> = {},
): Attempt {
  const [invokedAt, answeredAt] = times;
  return { request, events: [sent(request)], conditions: [], invokedAt, answeredAt, outcome, ...over };
}

const stored = (firstPosition: number): Outcome => ({ kind: 'stored', firstPosition, replayed: false });
const conflict = (head: number, positions: number[]): Outcome => ({
  kind: 'refused',
  code: 'APPEND_CONDITION_FAILED',
  head,
  violations: [{ condition: 0, positions }],
});

const DELIVERED = { at: 100, kind: 'event' } as const;

/** One of each: a single event, a batch, a conditional append that lost, one that is unknown, a read, a stream. */
function honest(): { log: LoggedEvent[]; attempts: Attempt[]; reads: Read[]; frames: Frame[] } {
  const guarded = sent('c', 0, { data: { token: 'c#0', conditions: [LENDING] }, type: 'Returned' });
  const log = [
    logged(1, sent('a')),
    logged(2, sent('b', 0)),
    logged(3, sent('b', 1, { tags: { book: ['1', '2'] } })),
    logged(4, sent('d', 0, { type: 'Other' })),
  ];
  return {
    log,
    attempts: [
      attempt('a', [1, 3], stored(1)),
      attempt('b', [2, 6], stored(2), {
        events: [sent('b', 0), sent('b', 1, { tags: { book: ['1', '2'] } })],
      }),
      attempt('c', [7, 8], conflict(3, [2, 3]), { events: [guarded], conditions: [LENDING] }),
      attempt(
        'd',
        [9, Number.POSITIVE_INFINITY],
        { kind: 'unknown' },
        { events: [sent('d', 0, { type: 'Other' })] },
      ),
      attempt('e', [9, 10], { kind: 'refused', code: 'OVERLOADED' }),
    ],
    reads: [
      { invokedAt: 7, answeredAt: 9, query: LENDING.failIfEventsMatch, after: 1, head: 3, positions: [2, 3] },
    ],
    frames: [
      { ...DELIVERED, event: log[0] as LoggedEvent },
      { kind: 'bookmark', position: 1 },
      { ...DELIVERED, event: log[1] as LoggedEvent },
      { ...DELIVERED, event: log[2] as LoggedEvent },
      { kind: 'bookmark', position: 4 },
    ],
  };
}

type Case = ReturnType<typeof honest>;

function judge({ log, attempts, reads, frames }: Case): Set<Rule> {
  const query = { items: [{ tags: { book: '1' }, types: ['Lent'] }] };
  const subscriptions = [{ name: 's', query, after: 0, frames, complete: true }];
  const history: History = { attempts, reads, subscriptions };
  return new Set(audit(log, history).map((finding) => finding.rule));
}

t.test('an honest history passes', async (t) => {
  const { log, attempts, reads, frames } = honest();
  const query = { items: [{ tags: { book: '1' }, types: ['Lent'] }] };
  const subscriptions = [{ name: 's', query, after: 0, frames, complete: true }];
  t.same(audit(log, { attempts, reads, subscriptions }), []);
  t.same(auditLog(log), []);
});

t.test('an unknown append may be there or not, and a repeated one was stored once', async (t) => {
  const absent = honest();
  absent.log.pop();
  absent.frames.pop();
  t.same([...judge(absent)], []);
  const again = honest();
  const events = [sent('d', 0, { type: 'Other' })];
  again.attempts.push(
    attempt('d', [11, 12], { kind: 'stored', firstPosition: 4, replayed: true }, { events }),
  );
  t.same([...judge(again)], []);
});

/** Each breaks the honest history in one way. */
const BROKEN: readonly { name: string; rule: Rule; harm: (history: Case) => void }[] = [
  { name: 'an acknowledged event is gone', rule: 'lost', harm: ({ log }) => void log.splice(0, 1) },
  {
    name: 'an acknowledged event stands elsewhere',
    rule: 'lost',
    harm: ({ attempts }) => replace(attempts, 'a', { outcome: stored(2) }),
  },
  {
    name: 'a repeated append was acknowledged at another position',
    rule: 'lost',
    harm: ({ attempts }) =>
      void attempts.push(attempt('a', [20, 21], { kind: 'stored', firstPosition: 4, replayed: true })),
  },
  {
    name: 'data was changed',
    rule: 'altered',
    harm: ({ log }) => change(log, 1, { data: { token: 'a#0', conditions: [], x: 1 } }),
  },
  { name: 'a tag was dropped', rule: 'altered', harm: ({ log }) => change(log, 3, { tags: { book: '1' } }) },
  { name: 'the id is another', rule: 'altered', harm: ({ log }) => change(log, 1, { id: 'another' }) },
  {
    name: 'a refused append was stored',
    rule: 'phantom',
    harm: ({ log }) => void log.push(logged(5, sent('e'))),
  },
  {
    name: 'an append whose condition failed was stored',
    rule: 'phantom',
    harm: ({ log }) =>
      void log.push(
        logged(5, sent('c', 0, { data: { token: 'c#0', conditions: [LENDING] }, type: 'Returned' })),
      ),
  },
  {
    name: 'an event that nobody sent',
    rule: 'phantom',
    harm: ({ log }) => void log.push(logged(5, sent('x'))),
  },
  {
    name: 'half of a batch',
    rule: 'torn',
    harm: ({ log, attempts }) => {
      log.splice(2, 2);
      replace(attempts, 'b', { outcome: { kind: 'unknown' }, answeredAt: Number.POSITIVE_INFINITY });
    },
  },
  {
    name: 'a batch with another event between',
    rule: 'torn',
    harm: ({ log, attempts }) => {
      const [, , second, other] = log;
      log.splice(
        2,
        2,
        { ...(other as LoggedEvent), position: 3 },
        { ...(second as LoggedEvent), position: 4 },
      );
      replace(attempts, 'b', { outcome: { kind: 'unknown' }, answeredAt: Number.POSITIVE_INFINITY });
    },
  },
  {
    name: 'a batch in another order',
    rule: 'altered',
    harm: ({ log }) => {
      const [, first, second] = log;
      log.splice(
        1,
        2,
        { ...(second as LoggedEvent), position: 2 },
        { ...(first as LoggedEvent), position: 3 },
      );
    },
  },
  {
    name: 'a repeated append was stored twice',
    rule: 'twice',
    harm: ({ log }) => void log.push(logged(5, sent('a'), { id: 'other' })),
  },
  { name: 'an id stands twice', rule: 'shape', harm: ({ log }) => change(log, 4, { id: 'id-a-0' }) },
  { name: 'a position is missing', rule: 'shape', harm: ({ log }) => change(log, 4, { position: 5 }) },
  {
    name: 'recordedAt falls',
    rule: 'shape',
    harm: ({ log }) => change(log, 4, { recordedAt: '2026-11-21T09:30:01.000Z' }),
  },
  {
    name: 'a later append stands before an earlier one',
    rule: 'order',
    harm: ({ attempts }) => replace(attempts, 'a', { invokedAt: 6.5, answeredAt: 7 }),
  },
  {
    name: 'an unknown append that began late stands early',
    rule: 'order',
    harm: ({ attempts }) => {
      replace(attempts, 'a', {
        outcome: { kind: 'unknown' },
        invokedAt: 7,
        answeredAt: Number.POSITIVE_INFINITY,
      });
    },
  },
  {
    name: 'a condition was broken',
    rule: 'broken',
    harm: ({ attempts }) => replace(attempts, 'd', { conditions: [LENDING] }),
  },
  {
    name: 'a conflict names an event that does not match',
    rule: 'unjustified',
    harm: ({ attempts, log }) => {
      replace(attempts, 'c', { outcome: conflict(4, [2, 3, 4]) });
      t.equal(log.length, 4);
    },
  },
  {
    name: 'a conflict names an event at or below `after`',
    rule: 'unjustified',
    harm: ({ attempts }) => replace(attempts, 'c', { outcome: conflict(3, [1, 2]) }),
  },
  {
    name: 'a conflict names an event above its head',
    rule: 'unjustified',
    harm: ({ attempts }) => replace(attempts, 'c', { outcome: conflict(2, [2, 3]) }),
  },
  {
    name: 'a conflict names an event that was sent afterwards',
    rule: 'unjustified',
    harm: ({ attempts }) => replace(attempts, 'c', { invokedAt: 0, answeredAt: 1 }),
  },
  {
    name: 'a conflict names nothing',
    rule: 'unjustified',
    harm: ({ attempts }) =>
      replace(attempts, 'c', { outcome: { kind: 'refused', code: 'APPEND_CONDITION_FAILED', head: 3 } }),
  },
  {
    name: 'a conflict leaves out a condition that had failed too',
    rule: 'unjustified',
    harm: ({ attempts }) => replace(attempts, 'c', { conditions: [LENDING, LENDING] }),
  },
  {
    name: 'a conflict names its positions out of order',
    rule: 'unjustified',
    harm: ({ attempts }) => replace(attempts, 'c', { outcome: conflict(3, [3, 2]) }),
  },
  { name: 'a read missed an event', rule: 'read', harm: ({ reads }) => change(reads, 1, { positions: [2] }) },
  {
    name: 'a read gave what does not match',
    rule: 'read',
    harm: ({ reads }) => change(reads, 1, { head: 4, positions: [2, 3, 4] }),
  },
  {
    name: 'a read was older than an append acknowledged before it',
    rule: 'read',
    harm: ({ reads }) => change(reads, 1, { head: 2, positions: [2] }),
  },
  {
    name: 'a read saw what was sent afterwards',
    rule: 'read',
    harm: ({ reads }) => change(reads, 1, { invokedAt: 0, answeredAt: 1.5 }),
  },
  {
    name: 'a read went back behind another one',
    rule: 'read',
    harm: ({ reads }) => {
      reads.unshift({ ...(reads[0] as Read), invokedAt: 4, answeredAt: 5 });
      change(reads, 2, { invokedAt: 5.5, answeredAt: 6, head: 2, positions: [2] });
    },
  },
  {
    name: 'a read was older than what a stream had delivered',
    rule: 'read',
    harm: ({ frames, reads, log }) => {
      replaceFrame(frames, 2, { kind: 'event', event: log[2] as LoggedEvent, at: 4 });
      change(reads, 1, { invokedAt: 5, answeredAt: 6, head: 2, positions: [2] });
    },
  },
  { name: 'a subscriber missed an event', rule: 'stream', harm: ({ frames }) => void frames.splice(2, 1) },
  { name: 'a subscriber missed the end', rule: 'stream', harm: ({ frames }) => void frames.splice(3, 2) },
  {
    name: 'a subscriber got an event twice',
    rule: 'stream',
    harm: ({ frames }) => void frames.splice(1, 0, frames[0] as Frame),
  },
  {
    name: 'a subscriber got events out of order',
    rule: 'stream',
    harm: ({ frames }) => void frames.splice(2, 2, frames[3] as Frame, frames[2] as Frame),
  },
  {
    name: 'a subscriber got what it did not ask for',
    rule: 'stream',
    harm: ({ frames, log }) => void frames.push({ ...DELIVERED, event: log[3] as LoggedEvent }),
  },
  {
    name: 'a bookmark ran ahead',
    rule: 'stream',
    harm: ({ frames }) => void frames.splice(1, 0, { kind: 'bookmark', position: 2 }),
  },
  {
    name: 'a bookmark fell back',
    rule: 'stream',
    harm: ({ frames }) => void frames.push({ kind: 'bookmark', position: 1 }),
  },
  {
    name: 'a subscriber got other content than readers',
    rule: 'stream',
    harm: ({ frames, log }) =>
      replaceFrame(frames, 0, {
        ...DELIVERED,
        event: { ...(log[0] as LoggedEvent), timestamp: '2026-11-21T09:30:09.000Z' },
      }),
  },
  {
    name: 'a subscriber got an event before it was sent',
    rule: 'stream',
    harm: ({ frames, log }) =>
      replaceFrame(frames, 0, { kind: 'event', event: log[0] as LoggedEvent, at: 0 }),
  },
];

for (const { name, rule, harm } of BROKEN) {
  t.test(`found: ${name}`, async (t) => {
    const history = honest();
    harm(history);
    const rules = judge(history);
    t.ok(rules.has(rule), `found as ${rule}, among ${[...rules].join(', ') || 'nothing'}`);
  });
}

t.test('a log alone is judged by the expectations that its events carry', async (t) => {
  const broken = sent('c', 0, { data: { token: 'c#0', conditions: [LENDING] } });
  t.same(auditLog([logged(1, sent('a')), logged(2, broken)]), []);
  const log = [logged(1, sent('a')), logged(2, sent('b')), logged(3, broken)];
  t.match(auditLog(log), [{ rule: 'broken' }]);
  const own = sent('c', 1, { data: { token: 'c#1', conditions: [LENDING] } });
  t.same(
    auditLog([logged(1, sent('a')), logged(2, broken), logged(3, own)]),
    [],
    'a batch is no conflict of itself',
  );
});

t.test('queries mean what dcb.events says', async (t) => {
  const index = new AuditIndex([
    logged(1, sent('a', 0, { type: 'A', tags: { x: ['1', '2'] } })),
    logged(2, sent('a', 1, { type: 'B', tags: { x: '1' } })),
    logged(3, sent('a', 2, { type: 'A', tags: {} })),
    logged(4, sent('a', 3, { type: '$stele.note', tags: { x: '1' } })),
  ]);
  const found = (query: Parameters<AuditIndex['matches']>[0]): number[] => index.matches(query, 0, 99);
  t.same(found({}), [1, 2, 3], 'everything but what the system wrote');
  t.same(found({ items: [{ types: ['A'] }] }), [1, 3]);
  t.same(found({ items: [{ tags: { x: '1' } }] }), [1, 2]);
  t.same(found({ items: [{ tags: { x: ['1', '2'] } }] }), [1], 'tags are and-ed');
  t.same(found({ items: [{ types: ['A'], tags: { x: '1' } }] }), [1], 'sides are and-ed');
  t.same(found({ items: [{ types: ['A', 'B'] }] }), [1, 2, 3], 'types are or-ed');
  t.same(found({ items: [{ types: ['B'] }, { tags: { x: '2' } }] }), [1, 2], 'items are or-ed');
  t.same(found({ items: [{ types: ['$stele.note'], tags: { x: '1' } }] }), [4]);
  t.same(index.matches({}, 1, 2), [2], 'after is exclusive, the end is not');
  t.equal(index.anyMatch({ items: [{ types: ['B'] }] }, 2, 9), undefined);
});

function replace(attempts: Attempt[], request: string, over: Partial<Attempt>): void {
  const at = attempts.findIndex((one) => one.request === request);
  attempts[at] = { ...(attempts[at] as Attempt), ...over };
}

function replaceFrame(frames: Frame[], nth: number, frame: Frame): void {
  const at = frames.flatMap((one, index) => (one.kind === 'event' ? [index] : []))[nth] as number;
  frames[at] = frame;
}

/** Changes the element that is counted from 1. */
function change<T>(list: T[], nth: number, over: Partial<T>): void {
  list[nth - 1] = { ...(list[nth - 1] as T), ...over };
}
