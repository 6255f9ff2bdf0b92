import t, { type Test } from 'tap';
import type { RecordedEvent } from '../../src/model/event.ts';
import { media } from '../helpers/backends.ts';
import { bodyOf, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { linesOf, post } from '../routes/stage.ts';

/**
 * Versions are registered while others append events of them, where the store can be shared in another process's stead:
 * each service has its own memory of what is registered. Afterwards every event has to satisfy what it claims.
 *
 * Version n takes data whose level is n, and nothing else. An event claims any version and has any level, so that nearly
 * all of them are wrong as soon as there is a version. The head of the log before and after each change says which events
 * were certainly stored before it, and which after.
 */
const VERSIONS = 8;
const APPENDERS = 6;

interface Change {
  readonly before: number;
  readonly after: number;
}

const random = (max: number) => 1 + Math.floor(Math.random() * max);

await media(t, async (t, kind) => {
  const argv = ['--store', await kind.url(t)];
  const registrar = await startHttpService(t, { argv });
  const appending = kind.isShared ? await startHttpService(t, { argv }) : registrar;
  const run = await race(registrar, appending);
  audit(t, run);
});

async function race(registrar: HttpService, appending: HttpService) {
  const changes: Change[] = [];
  let tagging: Change | undefined;
  let isOver = false;
  const outcomes = new Map<string, number>();
  const appenders = Array.from({ length: APPENDERS }, async (_, n) => {
    while (!isOver) {
      const events = Array.from({ length: random(2) }, () => ({
        type: 'RACE',
        version: random(VERSIONS),
        data: { level: random(VERSIONS) },
      }));
      // Half of them go in where versions are registered, so that both have to be right.
      const service = n % 2 === 0 ? appending : registrar;
      const answer = await service.call('/v1/events/batch', post({ events }));
      const outcome = answer.status === 201 ? 'stored' : String(bodyOf(answer)['code']);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  });
  const change = async (run: () => Promise<{ status: number; text: string }>): Promise<Change> => {
    const stored = outcomes.get('stored') ?? 0;
    const until = performance.now() + 5000;
    // Something has to be in flight when it changes.
    while ((outcomes.get('stored') ?? 0) < stored + 3 && performance.now() < until) await turn();
    const before = (await registrar.service.backend.head()).position;
    const { status, text } = await run();
    if (status > 201) throw new Error(text);
    return { before, after: (await registrar.service.backend.head()).position };
  };
  const put = (settings: object) => () =>
    registrar.call('/v1/types/RACE', { method: 'PUT', body: JSON.stringify(settings) });
  await change(put({ compatibility: 'none' }));
  for (let n = 1; n <= VERSIONS; n += 1) {
    const schema = { properties: { level: { const: n } }, required: ['level'] };
    changes.push(await change(() => registrar.call('/v1/types/RACE/versions', post({ schema }))));
    if (n === VERSIONS / 2)
      tagging = await change(put({ compatibility: 'none', tagsFromData: { level: '/level' } }));
  }
  await change(async () => ({ status: 200, text: '' }));
  isOver = true;
  await Promise.all(appenders);
  const events = linesOf(await registrar.call('/v1/events', { headers: { accept: 'application/x-ndjson' } }));
  const { text } = await appending.call('/metrics');
  const retries = Number(/^stele_append_registry_retries_total (\d+)/m.exec(text)?.[1]);
  return { changes, tagging, events, outcomes, retries };
}

function audit(
  t: Test,
  { changes, tagging, events, outcomes, retries }: Awaited<ReturnType<typeof race>>,
): void {
  const [first] = changes as [Change, ...Change[]];
  const level = ({ data }: RecordedEvent) => (data as { level: number }).level;
  const wrong = events.filter((event) => level(event) !== event.version);
  t.ok(wrong.length > 0, 'before the first version anything was stored');
  t.strictSame(
    wrong.filter(({ position }) => position > first.after),
    [],
    'since then no event has been stored that does not satisfy the version that it claims',
  );
  const early = events.filter(
    ({ position, version }) => position > first.after && position <= (changes[version - 1]?.before ?? 0),
  );
  t.strictSame(early, [], 'nor one of a version that was not registered yet');
  t.strictSame(
    events.filter(
      (event) => event.position > (tagging?.after ?? 0) && event.tags['level'] !== `${level(event)}`,
    ),
    [],
    'nor one without the tag that its type asks for',
  );
  t.ok(
    events.some(({ position }) => position > first.after),
    'right ones were stored',
  );
  t.ok((outcomes.get('SCHEMA_VIOLATION') ?? 0) > 0, 'and wrong ones refused');
  // A machine that is busy with other tests may take a second for a commit: then nothing is stored either.
  const expected = ['stored', 'SCHEMA_VIOLATION', 'OVERLOADED'];
  t.strictSame(
    [...outcomes.keys()].filter((outcome) => !expected.includes(outcome)),
    [],
    'and nothing else happened',
  );
  t.comment(`${events.length} events, ${retries} looked at again, ${JSON.stringify([...outcomes])}`);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
