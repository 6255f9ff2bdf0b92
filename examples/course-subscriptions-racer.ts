import { createClient, isConflict } from '../src/client/index.ts';
import { changeCapacity, defineCourse, RuleBroken, subscribe } from './course-subscriptions.ts';

/**
 * One process of the race: sends commands without a pause, several at a time, on few courses and students, so that
 * nearly each of them meets others. Its last words are the counts of what became of them, as JSON.
 */
export interface RacerSettings {
  readonly url: string;
  readonly seed: number;
  readonly commands: number;
  readonly concurrency: number;
  readonly courses: number;
  readonly students: number;
}

export interface RacerCounts {
  accepted: number;
  /** Refused by a rule. */
  refused: number;
  /** Given up after too many lost races. */
  lost: number;
}

/** A small generator of random numbers (mulberry32): the same seed gives the same commands. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

async function race(settings: RacerSettings): Promise<RacerCounts> {
  const client = createClient({ url: settings.url });
  const random = randomFrom(settings.seed);
  const counts: RacerCounts = { accepted: 0, refused: 0, lost: 0 };
  let left = settings.commands;

  async function command(): Promise<void> {
    const course = `c${random(settings.courses)}`;
    const kind = random(20);
    if (kind === 0) return defineCourse(client, course, 3 + random(8));
    if (kind <= 2) return changeCapacity(client, course, 3 + random(12));
    return subscribe(client, `s${random(settings.students)}`, course);
  }

  async function run(): Promise<void> {
    while (left > 0) {
      left -= 1;
      try {
        await command();
        counts.accepted += 1;
      } catch (error) {
        if (error instanceof RuleBroken) counts.refused += 1;
        else if (isConflict(error)) counts.lost += 1;
        else throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: settings.concurrency }, run));
  return counts;
}

const settings: RacerSettings = JSON.parse(process.argv[2] ?? '{}');
process.stdout.write(`${JSON.stringify(await race(settings))}\n`);
