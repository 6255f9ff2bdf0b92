import { FILE_MUTANTS } from './file-mutants.ts';
import { INDEX_MUTANTS } from './index-mutants.ts';
import { REGISTRY_MUTANTS } from './registry-mutants.ts';

/**
 * Faults that people make in event stores, each as small as it was found in the wild, and the tests that have to
 * notice. What to look for must stand in its file exactly once.
 */
export interface Mutant {
  readonly name: string;
  /** Where such a fault comes from, or what it would do. */
  readonly why: string;
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
  /** Test files in the order in which they are tried; one that fails is enough. */
  readonly tests: readonly string[];
}

const GROUP_COMMIT = 'src/store/group-commit.ts';
const APPEND_SQL = 'migrations/0004-append.sql';
const WRITER = 'src/store/postgres/writer.ts';

export const MUTANTS: readonly Mutant[] = [
  ...FILE_MUTANTS,
  ...INDEX_MUTANTS,
  ...REGISTRY_MUTANTS,
  {
    name: 'acknowledge-before-commit',
    why: 'The answer goes out while the batch is on its way, with the positions it will probably get.',
    edits: [
      {
        file: GROUP_COMMIT,
        find: `      const { base, verdicts } = await this.#backend.append(requests, behind);`,
        replace: `      const underWay = this.#backend.append(requests, behind);
      let next = Math.max(0, this.#head) + 1;
      for (const { request, resolve } of batch) {
        const recordedAt = new Date().toISOString();
        resolve({ kind: 'stored', replayed: false, ...storedAppend(request.events, { firstPosition: next, recordedAt }) });
        next += request.events.length;
      }
      const { base, verdicts } = await underWay;`,
      },
    ],
    tests: ['test/store/group-commit.test.ts'],
  },
  {
    name: 'acknowledge-before-flush',
    why: 'synchronous_commit off: thirty times as fast, and the last moments are gone after a crash.',
    edits: [
      {
        file: WRITER,
        find: `case when current_setting('synchronous_commit') = 'off' then 'on'
                               else current_setting('synchronous_commit') end, false)`,
        replace: `'off', false)`,
      },
    ],
    tests: ['test/crash/durable.test.ts'],
  },
  {
    name: 'types-in-order-of-arrival',
    why: 'Two processes that meet the same new types in other orders stop each other, and one append is refused for nothing.',
    edits: [{ file: APPEND_SQL, find: `     order by u.type collate "C"\n`, replace: '' }],
    tests: ['test/store/postgres/new-types.test.ts'],
  },
  {
    name: 'window-knows-a-key-from-now-on',
    why: 'The first question about a tag is answered from the events that come after it.',
    edits: [
      {
        file: 'src/store/window.ts',
        find: 'for (let n = 0; n < this.#indexed; n += 1) this.#indexTerms(this.#all[n] as E, key);',
        replace: '',
      },
    ],
    tests: ['test/store/window.test.ts'],
  },
  {
    name: 'window-answers-for-what-it-let-go',
    why: 'A condition that reaches further back than the window is taken to hold, for nothing of that is there any more.',
    edits: [
      {
        file: 'src/store/window.ts',
        find: '    if (check.after < this.start) return undefined;\n',
        replace: '',
      },
    ],
    tests: ['test/store/group-commit-races.test.ts'],
  },
  {
    name: 'unsent-dropped-where-nobody-followed',
    why: 'A stream that joins while what came before it is on its way finds a hole behind its place.',
    edits: [
      {
        file: 'src/feed/ring.ts',
        find: 'if (run === undefined || run.through > sent) break;',
        replace: 'if (run === undefined || (isFollowed && run.through > sent)) break;',
      },
    ],
    tests: ['test/feed/tail.test.ts'],
  },
  {
    name: 'check-before-lock',
    why: 'Marten #4591: a check that does not stand under the lock lets five of eight racers commit.',
    edits: [
      {
        file: APPEND_SQL,
        find: `  perform stele.lock_log();
  select w.epoch, greatest(`,
        replace: `  select w.epoch, greatest(`,
      },
      {
        file: APPEND_SQL,
        find: `  if cardinality(p_event_id) > 0 then
    -- Events take consecutive positions.`,
        replace: `  perform stele.lock_log();
  select coalesce(max(l.position), 0) into base from stele.events l;
  if cardinality(p_event_id) > 0 then
    -- Events take consecutive positions.`,
      },
    ],
    tests: ['test/contract/conditions.test.ts'],
  },
  {
    name: 'head-after-events',
    why: 'Marten #5300: the position of a decision is taken after its events were read.',
    edits: [
      {
        file: 'routes/page.ts',
        find: `,"position":\${pinned.pin}\${explanation}}`,
        replace: `,"position":\${(await backend.head()).position}\${explanation}}`,
      },
    ],
    tests: ['test/race/moving-log.test.ts'],
  },
  {
    name: 'cursor-not-pinned',
    why: 'Later pages show what came after the first: a decision misses it or counts it twice.',
    edits: [{ file: 'src/store/pages.ts', find: `filter: below(filter, known.pin),`, replace: `filter,` }],
    tests: ['test/race/moving-log.test.ts'],
  },
  {
    name: 'page-boundary',
    why: 'A page begins one event behind the place where the one before ended.',
    edits: [
      {
        file: 'src/store/postgres/reader.ts',
        find: `{ ...filter, after: Math.max(filter.after, position) }`,
        replace: `{ ...filter, after: Math.max(filter.after, position + 1) }`,
      },
    ],
    tests: ['test/contract/read.test.ts'],
  },
  {
    name: 'zone-too-narrow',
    why: 'What a stretch of the log is said to hold is less than it does: a range of time misses events.',
    edits: [
      {
        file: 'migrations/0006-zone-map.sql',
        find: `max(e.timestamp) as last_time`,
        replace: `min(e.timestamp) as last_time`,
      },
    ],
    tests: ['test/store/postgres/zone-map.test.ts'],
  },
  {
    name: 'resume-off-by-one',
    why: 'A stream resumes with the event that it names instead of behind it.',
    edits: [
      {
        file: 'src/feed/feed.ts',
        find: `return { position: place.after, head: head.position, oldest };`,
        replace: `return { position: Math.max(0, place.after - 1), head: head.position, oldest };`,
      },
    ],
    tests: ['test/feed/seam.test.ts'],
  },
  {
    name: 'dedupe-in-memory-only',
    why: 'A repeated id is known to the process that stored it, and to nobody after a restart.',
    edits: [
      {
        file: 'src/store/postgres/append-call.ts',
        find: `      if (isNamed(event)) {
        knownId`,
        replace: `      const isKnown = SEEN.has(event.id);
      SEEN.add(event.id);
      if (isNamed(event) && isKnown) {
        knownId`,
      },
      {
        file: 'src/store/postgres/append-call.ts',
        find: `/** A request that the function refused, as it says so. */`,
        replace: `const SEEN = new Set<string>();

/** A request that the function refused, as it says so. */`,
      },
      {
        file: APPEND_SQL,
        find: `       where v_place is null or v_place[e.o] is not null;
    insert into stele.event_tags`,
        replace: `       where v_place is null or v_place[e.o] is not null
      on conflict do nothing;
    insert into stele.event_tags`,
      },
    ],
    tests: ['test/race/once.test.ts'],
  },
  {
    name: 'key-forgotten',
    why: 'The Idempotency-Key is remembered where the request ran, and not written with its events.',
    edits: [
      {
        file: APPEND_SQL,
        find: `         where k.s and k.r <> all (v_refused)
         group by`,
        replace: `         where false and k.r <> all (v_refused)
         group by`,
      },
    ],
    tests: ['test/contract/ids-and-batches.test.ts'],
  },
  {
    name: 'publish-before-commit',
    why: 'Streams show what may never be stored.',
    edits: [
      {
        file: GROUP_COMMIT,
        find: `      const { base, verdicts } = await this.#backend.append(requests, behind);`,
        replace: `      const early = batch.flatMap(({ request }) => [
        ...placed(request.events, { firstPosition: this.#head + 1, recordedAt: new Date().toISOString() }),
      ]);
      for (const listener of this.#listeners) listener({ base: this.#head, events: early });
      const { base, verdicts } = await this.#backend.append(requests, behind);`,
      },
    ],
    tests: ['test/store/group-commit.test.ts'],
  },
  {
    name: 'no-fence',
    why: 'A call that outlived its connection commits after its ids were looked up in vain.',
    edits: [
      {
        file: APPEND_SQL,
        find: `  perform stele.lock_log();
  insert into stele.writers`,
        replace: `  insert into stele.writers`,
      },
      {
        file: APPEND_SQL,
        find: `  if v_epoch is distinct from p_epoch then`,
        replace: `  if false then`,
      },
    ],
    tests: ['test/crash/lock-wait.test.ts'],
  },
  {
    name: 'deferral-skipped',
    why: 'Two that guard one boundary share a batch, and both see it empty.',
    edits: [
      {
        file: GROUP_COMMIT,
        find: `      if (waits || forming.couldDecide(pending.request)) {`,
        replace: `      if (waits) {`,
      },
    ],
    tests: ['test/store/group-commit.test.ts', 'test/store/group-commit-races.test.ts'],
  },
  {
    name: 'batch-under-way-not-asked',
    why: 'A condition is sent behind a batch whose events it matches, with the word that it holds.',
    edits: [
      {
        file: GROUP_COMMIT,
        find: `before?.couldFail(pending.request) === true`,
        replace: `before === undefined && pending.request.checks.length < 0`,
      },
    ],
    tests: ['test/store/group-commit.test.ts', 'test/store/group-commit-races.test.ts'],
  },
  {
    name: 'place-behind-not-looked-at',
    why: 'Conditions are taken to hold behind a batch although others have appended in between.',
    edits: [
      {
        file: APPEND_SQL,
        find: `  if base = p_behind and v_last_id = p_behind_last then`,
        replace: `  if base >= p_clear then`,
      },
      {
        file: APPEND_SQL,
        find: `    if exists (select from stele.events e where e.position = p_clear + 1 and e.id = p_behind_first) then`,
        replace: `    if base > 0 then`,
      },
    ],
    tests: ['test/contract/conditions.test.ts', 'test/store/group-commit-races.test.ts'],
  },
  {
    name: 'window-without-base-check',
    why: 'Memory is trusted although another process has appended in between.',
    edits: [
      {
        file: GROUP_COMMIT,
        find: `    if (known && base !== this.#head) this.#window.reset(base);`,
        replace: `    if (known && this.#head === HEAD_UNKNOWN) this.#window.reset(base);`,
      },
    ],
    tests: ['test/store/group-commit.test.ts'],
  },
  {
    name: 'others-not-heard',
    why: 'Events of other processes wait for the next one of our own.',
    edits: [
      {
        file: 'src/store/postgres/watcher.ts',
        find: `    for (const listener of this.#listeners) listener();`,
        replace: `    if (this.#listeners.size < 0) for (const listener of this.#listeners) listener();`,
      },
    ],
    tests: ['test/contract/head-and-wake.test.ts'],
  },
  {
    name: 'others-skipped',
    why: 'Commits of our own are handed out although events of other processes lie before them.',
    edits: [
      {
        file: 'src/feed/tail.ts',
        find: `    if (ring !== undefined && commit.base <= ring.head) {`,
        replace: `    if (ring !== undefined) {`,
      },
    ],
    tests: ['test/feed/tail.test.ts', 'test/feed/seam.test.ts'],
  },
  {
    name: 'frame-dropped-under-backpressure',
    why: 'What waits for a slow consumer is forgotten when it begins to read again.',
    edits: [
      {
        file: 'src/feed/connection.ts',
        find: `    this.#stalledSinceMs = undefined;
    this.#handPieces();
    if`,
        replace: `    this.#stalledSinceMs = undefined;
    this.#parts = this.#parts.slice(1);
    this.#handPieces();
    if`,
      },
    ],
    tests: ['test/feed/slow-readers.test.ts'],
  },
  {
    name: 'tags-ored',
    why: 'An item with two tags matches events that carry one of them.',
    edits: [
      {
        file: 'src/model/query.ts',
        find: `  return item.terms.every((term) => event.terms.includes(term));`,
        replace: `  return item.terms.length === 0 || item.terms.some((term) => event.terms.includes(term));`,
      },
    ],
    tests: ['test/contract/query-cases.test.ts'],
  },
  {
    name: 'after-inclusive',
    why: 'An event at the position of the decision counts as a conflict.',
    edits: [
      {
        file: 'src/model/query.ts',
        find: `after: condition.after ?? 0 };`,
        replace: `after: Math.max(0, (condition.after ?? 0) - 1) };`,
      },
    ],
    tests: ['test/race/moving-log.test.ts'],
  },
  {
    name: 'failed-look-up-takes-neighbours',
    why: 'Requests that were stored are told that they were not, because a repetition beside them could not be looked up.',
    edits: [
      {
        file: WRITER,
        find: `await this.#taken(refusals).catch((error) => translate(error, 'reading events by id'));`,
        replace: `await this.#taken(refusals);`,
      },
    ],
    tests: ['test/crash/lost-answers.test.ts'],
  },
  {
    name: 'unknown-told-as-refused',
    why: 'A connection that breaks is taken for a statement that was rolled back.',
    edits: [
      {
        file: 'src/store/postgres/errors.ts',
        find: `  return state === undefined || isSessionEnd(state);
}

/** The writer's`,
        replace: `  return state !== undefined && isSessionEnd(state) && state === '';
}

/** The writer's`,
      },
    ],
    tests: ['test/crash/lost-answers.test.ts'],
  },
  {
    name: 'unhandled-client-error',
    why: 'node-postgres #1324: a client that breaks while nobody looks ends the process.',
    edits: [
      {
        file: 'src/store/postgres/connections.ts',
        find: `    client.on('error', (error) => this.#broke(error));
`,
        replace: '',
      },
    ],
    tests: ['test/crash/outage.test.ts'],
  },
  {
    name: 'nul-accepted',
    why: 'Text that databases cannot hold comes in, and goes out as something else or not at all.',
    edits: [
      {
        file: 'src/model/json-text.ts',
        find: `    if (unit === 0) this.#refuse('UNSTORABLE', 'holds a NUL character');`,
        replace: '',
      },
    ],
    tests: ['test/fuzz/fuzz.test.ts'],
  },
];
