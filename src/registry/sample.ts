import type { Fault } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { parseBody, type StoredEvent } from '../model/event.ts';
import { Pace } from './pace.ts';
import type { Validator } from './schema-compiler.ts';

/**
 * Validates events that are stored already: what a new schema would make of them. Whole events are validated in turns of the event
 * loop, so that however many there are, others are served meanwhile.
 */
export type SampledEvent = Pick<StoredEvent, 'id' | 'position' | 'body'>;

export interface FailingEvent {
  readonly id: string;
  readonly position: number;
  /** Pointers into the event: `/data/amount`. */
  readonly errors: readonly Fault[];
}

export interface EventValidators {
  readonly data?: Validator | undefined;
  readonly tags?: Validator | undefined;
  readonly metadata?: Validator | undefined;
}

const MEMBERS = ['data', 'tags', 'metadata'] as const;
const NO_FAULTS: readonly Fault[] = [];

/** @param options.failingMax how many failing events are told; all that come are tested and counted. */
export async function testSample(
  events: AsyncIterable<SampledEvent>,
  validators: EventValidators,
  { failingMax, signal }: { failingMax: number; signal?: AbortSignal },
): Promise<{ tested: number; failed: number; failing: FailingEvent[] }> {
  const failing: FailingEvent[] = [];
  let tested = 0;
  let failed = 0;
  const pace = new Pace();
  for await (const { id, position, body } of events) {
    signal?.throwIfAborted();
    if (pace.isOver) await pace.next();
    tested += 1;
    const errors = await faultsOfEvent(parseBody(body), validators);
    if (errors.length === 0) continue;
    failed += 1;
    if (failing.length < failingMax) failing.push({ id, position, errors });
  }
  return { tested, failed, failing };
}

interface Content {
  readonly data: unknown;
  readonly tags?: unknown;
  readonly metadata?: unknown;
}

/** What is wrong with an event, with pointers from its root; up to `faultsMax`. At once, but for what takes long. */
export function faultsOfEvent(
  content: Content,
  validators: EventValidators,
): readonly Fault[] | Promise<readonly Fault[]> {
  const found: (readonly Fault[] | Promise<readonly Fault[]>)[] = [];
  let isLong = false;
  let isValid = true;
  for (const member of MEMBERS) {
    const faults = validators[member]?.(contentOf(content, member)) ?? NO_FAULTS;
    if (faults instanceof Promise) isLong = true;
    else if (faults.length > 0) isValid = false;
    found.push(faults);
  }
  if (isLong) return Promise.all(found).then(joined);
  return isValid ? NO_FAULTS : joined(found as readonly (readonly Fault[])[]);
}

/** Tags and metadata that an event leaves out are empty ones. */
function contentOf(content: Content, member: (typeof MEMBERS)[number]): unknown {
  return content[member] ?? {};
}

function joined(found: readonly (readonly Fault[])[]): readonly Fault[] {
  return found
    .flatMap((faults, index) =>
      faults.map(({ pointer, detail }) => ({ pointer: `/${MEMBERS[index]}${pointer}`, detail })),
    )
    .slice(0, LIMITS.faultsMax);
}
