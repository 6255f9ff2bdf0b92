import { LIMITS } from '../limits.ts';
import { isSystemType, type Placed } from '../model/query.ts';
import { AskedKeys } from './asked-keys.ts';

type Types = ReadonlySet<string> | undefined;

/** The last event of a term and of some types, as far as this process knows. */
interface Sight {
  /** As they were asked about, `undefined` for all but the system's own. The same set is asked about again and again. */
  readonly types: Types;
  /** 0 where none has been seen yet. */
  position: number;
  type: string;
  run: Run;
}

/** A stretch of the log of which this process has seen every event, from the first sight of a term on. */
interface Run {
  /** The last of its positions; it grows as long as nobody else appends. */
  end: number;
}

/** Of one term few rules ask. */
const SIGHTS_MAX = 4;

/**
 * The last event of each value of a tag that a lifecycle asks about.
 *
 * The window knows everything about the last moments, and a value may rest for longer: an issue on which nothing happened for a
 * minute, among thousands. This knows one thing about each of the last `lastSeenTermsMax` values, so that of the next step
 * only what others have appended meanwhile is left to be looked up.
 *
 * What is known of a value stays true up to the end of the run in which it was seen: whoever misses a position begins a new
 * one. Values leave as events leave the window: when the younger half is full it becomes the older, and what was older is gone.
 */
export class LastSeen {
  readonly #termsMax: number;
  #older = new Map<string, Sight[]>();
  #younger = new Map<string, Sight[]>();
  readonly #asked = new AskedKeys();
  #run: Run = { end: 0 };

  constructor(termsMax: number = LIMITS.lastSeenTermsMax) {
    this.#termsMax = Math.max(1, Math.floor(termsMax / 2));
  }

  /** Some position has been missed. */
  interrupt(): void {
    this.#run = { end: 0 };
  }

  /** The next event of the log. */
  add(event: Placed): void {
    this.#run.end = event.position;
    if (this.#younger.size === 0) return;
    for (const term of event.terms) {
      if (!this.#asked.has(term)) continue;
      const sights = this.#younger.get(term) ?? this.#older.get(term);
      if (sights === undefined) continue;
      for (const sight of sights) {
        if (sight.types === undefined ? isSystemType(event.type) : !sight.types.has(event.type)) continue;
        sight.position = event.position;
        sight.type = event.type;
        sight.run = this.#run;
      }
    }
  }

  /**
   * The last event of the types that has a term, with the position up to which there is no later one. Undefined where none has been
   * seen since somebody asked first.
   */
  of(term: string, types: Types): { position: number; type: string; until: number } | undefined {
    const sights = this.#wanted(term);
    const known = sights.find((sight) => sight.types === types);
    if (known === undefined) {
      if (sights.length >= SIGHTS_MAX) sights.shift();
      sights.push({ types, position: 0, type: '', run: this.#run });
      return undefined;
    }
    const { position, type, run } = known;
    return position === 0 ? undefined : { position, type, until: run.end };
  }

  #wanted(term: string): Sight[] {
    const young = this.#younger.get(term);
    if (young !== undefined) return young;
    if (this.#younger.size >= this.#termsMax) {
      this.#older = this.#younger;
      this.#younger = new Map();
    }
    if (!this.#asked.has(term)) this.#asked.add(term);
    const sights = this.#older.get(term) ?? [];
    this.#younger.set(term, sights);
    return sights;
  }
}
