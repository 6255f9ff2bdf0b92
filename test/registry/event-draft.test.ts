import fc from 'fast-check';
import t from 'tap';
import { parseBody, readEvent } from '../../src/model/event.ts';
import { EventDraft } from '../../src/registry/event-draft.ts';

/** Texts that look like the places where members begin. */
const text = fc.oneof(
  fc.string(),
  fc.constantFrom('},"data":{', ',"metadata":{', '{', '}', '"', '\\"},"data":{"', 'data'),
);
const value = fc.letrec<{ any: unknown; object: Record<string, unknown> }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.integer(),
    fc.constant(null),
    fc.array(tie('any')),
    tie('object'),
  ),
  object: fc.dictionary(fc.oneof(fc.constantFrom('data', 'metadata', 'tags'), text), tie('any'), {
    maxKeys: 4,
  }),
}));
const tags = fc.dictionary(
  fc.constantFrom('data', 'metadata', 'issue'),
  text.filter((one) => /^[ -~]+$/.test(one)),
);
const isFree = (name: string) => name !== '__proto__';

t.test('the members of a draft are those of its event, whichever is asked for first', async (t) => {
  const event = fc.record(
    {
      type: fc.constant('A'),
      version: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      tags,
      metadata: value.object.filter((members) => Object.keys(members).every(isFree)),
      data: value.object,
    },
    { requiredKeys: ['type', 'data'] },
  );
  let read = 0;
  fc.assert(
    fc.property(
      event,
      fc.shuffledSubarray(['version', 'tags', 'metadata', 'data'] as const),
      (input, asked) => {
        let stored: ReturnType<typeof readEvent>;
        try {
          stored = readEvent(JSON.stringify(input), { eventIds: 'uuid' });
        } catch {
          return;
        }
        read += 1;
        const draft = new EventDraft(stored);
        const expected = parseBody(stored.body);
        for (const member of asked) t.strictSame(draft[member], expected[member]);
      },
    ),
    { numRuns: 2000 },
  );
  t.ok(read > 500, `${read} were events`);
});
