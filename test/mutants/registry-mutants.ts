import type { Mutant } from './mutants.ts';

const APPEND_SQL = 'migrations/0004-append.sql';
const FORMING_BATCH = 'src/store/forming-batch.ts';

/** Faults of guards and of the registry that appends are compared with. */
export const REGISTRY_MUTANTS: readonly Mutant[] = [
  {
    name: 'guards-before-lock',
    why: 'A rule is looked at before the lock: two make the one transition that it allows.',
    edits: [
      {
        file: APPEND_SQL,
        find: `  perform stele.lock_log();
  select w.epoch, greatest(`,
        replace: `  select w.epoch, greatest(`,
      },
      {
        file: APPEND_SQL,
        find: `  -- What reaches below the index and has not failed is not known to hold.
`,
        replace: `  perform stele.lock_log();
  select coalesce(max(l.position), 0) into base from stele.events l;
`,
      },
    ],
    tests: ['test/contract/guards.test.ts'],
  },
  {
    name: 'guard-decided-in-memory',
    why: 'What was the last event in memory is taken for the last there is.',
    edits: [
      {
        file: 'src/store/guards.ts',
        find: `  return types.has(last.type) ? { ...guard, after: last.until, expect: { types, orNone: true } } : guard;`,
        replace: `  return types.has(last.type) ? HOLDS : guard;`,
      },
    ],
    tests: ['test/store/group-commit-guards.test.ts', 'test/store/guard-races.test.ts'],
  },
  {
    name: 'last-seen-through-a-gap',
    why: 'What others have appended meanwhile is taken for nothing, and a step that they made is made again.',
    edits: [{ file: 'src/store/window.ts', find: `    this.lastSeen.interrupt();\n`, replace: '' }],
    tests: ['test/store/group-commit-guards.test.ts', 'test/store/guard-races.test.ts'],
  },
  {
    name: 'guard-deferral-skipped',
    why: 'Two make one transition in one batch, and both see the state before it.',
    edits: [
      {
        file: FORMING_BATCH,
        find: `    return this.#matchesAny(checks) || (guards !== undefined && this.#matchesAny(guards));`,
        replace: `    return this.#matchesAny(checks) || (guards !== undefined && this.#matchesAny([]));`,
      },
    ],
    tests: ['test/store/group-commit-guards.test.ts', 'test/store/guard-races.test.ts'],
  },
  {
    name: 'stale-registry-not-looked-at',
    why: 'An event is stored under a schema that was replaced while it was on its way.',
    edits: [
      {
        file: APPEND_SQL,
        find: `  if coalesce(v_registry, 0) <> any (p_registry_revision) then`,
        replace: `  if false then`,
      },
    ],
    tests: ['test/contract/registry-revision.test.ts'],
  },
  {
    name: 'registry-shares-a-batch',
    why: 'An append is looked at with the registry as it was before a change that it stands behind.',
    edits: [
      {
        file: FORMING_BATCH,
        find: `request.registry !== undefined && this.#names.has(REGISTRY_NAME)`,
        replace: `request.registry !== undefined && this.#names.has(REGISTRY_NAME.toUpperCase())`,
      },
    ],
    tests: ['test/store/group-commit-guards.test.ts', 'test/store/guard-races.test.ts'],
  },
  {
    name: 'added-counts-as-sent',
    why: 'A request that is sent again is refused because the service adds something else by then.',
    edits: [
      {
        file: 'src/store/replay.ts',
        find: `  if (added !== undefined) takeOut(members, added);`,
        replace: `  if (added !== undefined) takeOut(members, []);`,
      },
    ],
    tests: ['test/store/replay.test.ts'],
  },
];
