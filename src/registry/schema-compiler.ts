import { setImmediate as turn } from 'node:timers/promises';
import { type Fault, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { JsonSchema } from './event-type.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { isWithinBounds, readSchema } from './schema-document.ts';
import { SchemaThread } from './schema-thread.ts';
import type { SchemaQuestion } from './schema-worker.ts';
import { type BoundedValidator, makeValidator } from './validator.ts';

/**
 * What is wrong with a value, place by place; nothing where it is valid. At once where that takes no longer than the event loop may
 * be held (`validationUnitsAtOnce`, some 5 ms), else by the thread.
 */
export type Validator = (value: unknown) => readonly Fault[] | Promise<readonly Fault[]>;

export const TOO_MANY_STEPS: readonly Fault[] = [
  { pointer: '', detail: 'takes more steps to check against its schema than are allowed' },
];

/**
 * Makes validators of schemas that nobody vouches for. A schema is tried in a thread of its own first, under bounds of time and
 * memory (`schema-thread.ts`). What is found good there is made again here, where it is used: functions do not travel between
 * threads. By then it is known to be small: 256 KiB and 5,000 sub-schemas take some 10 ms, and of the patterns, which take
 * longer, one at most is compiled in a turn of the event loop.
 *
 * An event that takes longer to validate than the event loop is held is validated by that thread too, and of a schema that took
 * there all that is allowed every further event, so that nobody else waits for them.
 *
 * The thread does one thing after the other; past `schemaQueueMax` waiting ones further ones are refused. The same text is compiled
 * once: the last `schemaCacheMax` validators are kept.
 */
export class SchemaCompiler {
  readonly #thread: SchemaThread;
  /** By text, the least recently used first. */
  readonly #made = new Map<string, Promise<Validator>>();
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #isStopped = false;

  /** @param thread where schemas are tried, and values validated that take long. */
  constructor(thread = new SchemaThread()) {
    this.#thread = thread;
  }

  /** May be called again, also after `stop`. The thread is started when the first schema comes. */
  start(): void {
    this.#isStopped = false;
  }

  /** Schemas that wait are refused. May be called again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#last;
    await this.#thread.stop();
  }

  /**
   * Compiles off the event loop under caps.
   * @param options.name what has the schema, for the error: `ORDER.PLACED version 2`.
   * @throws StoreError INVALID_SCHEMA with faults, whose pointers lead into the schema; OVERLOADED where too many wait.
   */
  async compile(schema: JsonSchema, { name }: { name: string }): Promise<Validator> {
    if (!isWithinBounds(schema)) {
      const detail = `is larger than ${LIMITS.schemaBytesMax / 1024} KiB, or nested more than ${LIMITS.schemaDepthMax} levels deep`;
      throw invalidSchema(name, [{ pointer: '', detail }]);
    }
    const text = JSON.stringify(schema);
    const known = this.#made.get(text);
    if (known !== undefined) this.#made.delete(text);
    const made = known ?? this.#tried(text);
    this.#made.set(text, made);
    if (this.#made.size > LIMITS.schemaCacheMax) {
      for (const oldest of this.#made.keys()) {
        this.#made.delete(oldest);
        break;
      }
    }
    try {
      return await made;
    } catch (error) {
      if (this.#made.get(text) === made) this.#made.delete(text);
      throw error instanceof Refused ? invalidSchema(name, error.faults) : error;
    }
  }

  async #tried(schema: string): Promise<Validator> {
    const faults = (await this.#ask({ schema })) ?? [];
    if (faults.length > 0) throw new Refused(faults);
    const atOnce = await build(schema);
    let isExplosive = false;
    const inThread = async (value: unknown) => {
      const faults = await this.#ask({ schema, value: JSON.stringify(value) });
      isExplosive ||= faults === undefined;
      return faults ?? TOO_MANY_STEPS;
    };
    return (value) => (isExplosive ? undefined : atOnce(value)) ?? inThread(value);
  }

  /** In its turn. @throws StoreError OVERLOADED where too many wait. */
  async #ask(question: SchemaQuestion): Promise<readonly Fault[] | undefined> {
    if (this.#waiting >= LIMITS.schemaQueueMax) {
      throw new StoreError(
        'OVERLOADED',
        'Too many schemas wait to be compiled, or events that take long to be validated.',
      );
    }
    this.#waiting += 1;
    const answer = this.#last.then(() => {
      if (this.#isStopped) throw new StoreError('OVERLOADED', 'The service is stopping.');
      return this.#thread.faultsOf(question);
    });
    this.#last = answer.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await answer;
    } finally {
      this.#waiting -= 1;
    }
  }
}

/** The same for all who wait for a schema; each is told it with the name that he has for it. */
class Refused extends Error {
  readonly faults: readonly Fault[];
  constructor(faults: readonly Fault[]) {
    super('the schema cannot be used');
    this.faults = faults;
  }
}

/** Of a schema that was tried. */
async function build(text: string): Promise<BoundedValidator> {
  const schema: JsonSchema = JSON.parse(text);
  const { document, faults } = readSchema(schema);
  if (document === undefined) throw new Refused(faults);
  const patterns = new Map<string, Pattern>();
  for (const source of document.patterns) {
    await turn();
    const pattern = compilePattern(source);
    if (typeof pattern !== 'string') patterns.set(source, pattern);
  }
  return makeValidator(document, patterns, LIMITS.validationUnitsAtOnce);
}

function invalidSchema(name: string, faults: readonly Fault[]): StoreError {
  const [first] = faults;
  const place = first === undefined ? '' : `: ${first.pointer || 'it'} ${first.detail}`;
  const end = /[.?]$/.test(place) ? '' : '.';
  return new StoreError('INVALID_SCHEMA', `The schema of ${name} cannot be used${place}${end}`, { faults });
}
